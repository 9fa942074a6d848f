"""Embedded PostgreSQL and Valkey for a machine without them: found, prepared and run as child processes on private sockets.

`programs` finds them, `home` knows the folders, `stored_secrets` the passwords, `postgres` and `valkey` describe how to run
each, `disk` writes durably, and `stale_servers` ends what a killed supervisor left behind. `vote.ops.supervisor` starts and
restarts them.
"""
