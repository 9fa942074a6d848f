"""Live results: who watches what (`hub`), the numbers (`feed`), and the sockets they are sent through.

Nothing here writes: numbers come from PostgreSQL and go to watchers. Casting and recording know nothing of it.
"""
