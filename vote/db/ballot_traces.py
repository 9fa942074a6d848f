"""Finds ballots by the first half of their id, which is that of the request's. Reads no voter, no choice and no receipt."""

from datetime import datetime
from typing import Literal, NamedTuple
from uuid import UUID

from vote.db.pool import Tx

LAST = "f" * 16


class TracedBallot(NamedTuple):
    """A ballot in the database: in the journal (`recorded`) or kept aside. `row`: its number in the shard's journal."""

    id: UUID
    status: Literal["recorded", "unmatched"]
    competition: int
    shard: int
    epoch: str
    position: int
    cast_at: datetime
    written_at: datetime
    row: int | None


def find(tx: Tx, half: str) -> list[TracedBallot]:
    """Return the ballots whose id begins with these 16 digits: one, unless a proxy has used an id twice."""
    first, last = UUID(hex=half + "0" * 16), UUID(hex=half + LAST)
    query = """
        SELECT id, 'recorded', competition_id, shard, epoch, position, cast_at, recorded_at, seq
        FROM ballots WHERE id BETWEEN %(first)s AND %(last)s
        UNION ALL
        SELECT id, 'unmatched', competition_id, shard, epoch, position, cast_at, noticed_at, NULL
        FROM unmatched_ballots WHERE id BETWEEN %(first)s AND %(last)s
        ORDER BY cast_at
    """
    return [TracedBallot(*row) for row in tx.execute(query, {"first": first, "last": last})]


def is_rejected(tx: Tx, *, shard: int, epoch: str, position: int) -> bool:
    """Return whether the entry at this place was kept aside as unreadable."""
    query = "SELECT true FROM rejected_ballots WHERE shard = %s AND epoch = %s AND position = %s"
    return bool(tx.fetch_value(query, (shard, epoch, position)))


def gaps_over(tx: Tx, *, shard: int, epoch: str, position: int) -> list[int]:
    """Return the numbers of the gaps in which an entry at this place would lie."""
    query = "SELECT id FROM log_gaps WHERE shard = %s AND old_epoch = %s AND old_position < %s ORDER BY noticed_at"
    return [int(row[0]) for row in tx.execute(query, (shard, epoch, position))]
