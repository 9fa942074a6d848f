"""Quarantine: accepted ballots that are not counted, unmatched or rejected, as admins may see them.

Neither shows a choice, which would stand beside its voter. A rejected entry's text may hold both, and its reason may
quote a piece of the text behind a colon, so the text stays in the database and the reason is cut there.
"""

from datetime import datetime
from typing import NamedTuple

from vote.db.pool import Tx


class UnmatchedBallot(NamedTuple):
    """A ballot whose voter, competition or option is not known here (R9). `name` is the competition's, if known."""

    competition: int
    voter: int
    shard: int
    epoch: str
    position: int
    cast_at: datetime
    noticed_at: datetime
    name: str | None


class RejectedEntry(NamedTuple):
    """A log entry that cannot be read."""

    shard: int
    epoch: str
    position: int
    reason: str
    rejected_at: datetime


class QuarantineCounts(NamedTuple):
    """How many ballots and entries are in quarantine."""

    unmatched: int
    rejected: int

    @property
    def total(self) -> int:
        """Return the number of both together."""
        return self.unmatched + self.rejected


def counts(tx: Tx) -> QuarantineCounts:
    """Return how many there are of each."""
    row = tx.execute(
        "SELECT (SELECT count(*) FROM unmatched_ballots), (SELECT count(*) FROM rejected_ballots)"
    ).fetchone()
    assert row is not None
    return QuarantineCounts(int(row[0]), int(row[1]))


def latest_unmatched(tx: Tx, *, limit: int) -> list[UnmatchedBallot]:
    """Return unmatched ballots, newest first."""
    rows = tx.execute(
        """
        SELECT u.competition_id, u.user_id, u.shard, u.epoch, u.position, u.cast_at, u.noticed_at, c.name
        FROM unmatched_ballots u
        LEFT JOIN competitions c ON c.id = u.competition_id
        ORDER BY u.noticed_at DESC, u.shard, u.position DESC LIMIT %s
        """,
        (limit,),
    )
    return [UnmatchedBallot(*row) for row in rows]


def latest_rejected(tx: Tx, *, limit: int) -> list[RejectedEntry]:
    """Return rejected entries, newest first."""
    rows = tx.execute(
        """
        SELECT shard, epoch, position, split_part(reason, ':', 1), rejected_at FROM rejected_ballots
        ORDER BY rejected_at DESC, shard, position DESC LIMIT %s
        """,
        (limit,),
    )
    return [RejectedEntry(*row) for row in rows]
