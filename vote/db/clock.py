"""PostgreSQL's clock, which decides what came first: a login, or the revocation of every login."""

import time

from vote.db.pool import Tx

APART_S = 1.0  # how far a web host's clock may be from PostgreSQL's; beyond that it is not ready (docs/adr/0047)


def now(tx: Tx) -> float:
    """Return PostgreSQL's time, in seconds since 1970. It advances within a transaction."""
    return float(tx.fetch_value("SELECT extract(epoch FROM clock_timestamp())::float8"))


def ahead_s(tx: Tx) -> float:
    """Return by how much, at least, this machine's clock is ahead of PostgreSQL's; negative when it is behind.

    The time the query itself takes never counts against a clock.
    """
    before = time.time()
    database_time = now(tx)
    after = time.time()
    return before - database_time if before > database_time else min(0.0, after - database_time)
