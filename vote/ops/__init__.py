"""The `vote` command and what stands under a running stack: servers, supervision, secrets of an installation.

Nothing here decides about votes: it starts, stops and tends the processes that do.
"""
