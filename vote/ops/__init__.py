"""The `vote` command, and what runs a stack: servers, supervision, backups, load tests, an installation's secrets.

Nothing here decides about votes: it starts, stops and maintains the processes that do.
"""
