"""Live results: who watches what (`hub`), what has changed (`tally_poller`), and the sockets that send it (`endpoint`).

Nothing here writes: figures come from PostgreSQL and go to watchers. Casting and recording do not depend on it.
"""
