"""PostgreSQL and Valkey for a machine that has neither: found, prepared, started as our children on private sockets.

`programs` finds them, `home` knows the folders, `postgres` and `valkey` say how each is run, `leftovers` ends what a
killed supervisor left behind, `starting` waits until a server answers. Restarting is `vote.ops.supervisor`'s work.
"""
