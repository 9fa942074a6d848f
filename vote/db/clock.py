"""The clock of PostgreSQL, by which is told what came first: a login, or the end of everything that was logged in."""

import time

from vote.db.pool import Tx

APART_S = 1.0  # how far the clock of a web host may be from PostgreSQL's; beyond, it is not ready (docs/adr/0047)


def now(tx: Tx) -> float:
    """Return the time there, in seconds since 1970. It goes on within a transaction."""
    row = tx.execute("SELECT extract(epoch FROM clock_timestamp())::float8").fetchone()
    assert row is not None
    return float(row[0])


def ahead_s(tx: Tx) -> float:
    """Return by how much, at least, the clock of this machine is ahead of PostgreSQL's; negative when it is behind.

    What the question itself takes is never counted against a clock.
    """
    before = time.time()
    there = now(tx)
    after = time.time()
    return before - there if before > there else min(0.0, after - there)
