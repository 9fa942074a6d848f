"""Live results: who watches what (`hub`), what has changed (`feed`), and the sockets it is sent through.

Nothing here writes: figures come from PostgreSQL and go to watchers. Casting and recording do not depend on it.
"""
