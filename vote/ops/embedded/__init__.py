"""PostgreSQL and Valkey for a machine that has neither: found, prepared, started as our children on private sockets.

`programs` finds them, `home` knows the folders, `keyring` the passwords, `postgres` and `valkey` say how each is run,
`leftovers` ends what a killed supervisor left behind. Starting and restarting is `vote.ops.supervisor`'s work.
"""
