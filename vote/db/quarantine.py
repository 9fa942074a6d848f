"""Quarantine: accepted ballots that are not counted, unmatched or rejected, as admins may see them.

Neither shows a choice, which would stand beside its voter. A rejected entry's text may hold both, and its reason may
quote a piece of the text behind a colon, so the text stays in the database and the reason is cut there.
"""

from typing import NamedTuple

from vote.db.pool import Tx


class QuarantineCounts(NamedTuple):
    """The numbers of ballots and entries in quarantine."""

    unmatched: int
    rejected: int

    @property
    def total(self) -> int:
        """Return the sum of both numbers."""
        return self.unmatched + self.rejected


def counts(tx: Tx) -> QuarantineCounts:
    """Return both numbers."""
    row = tx.execute(
        "SELECT (SELECT count(*) FROM unmatched_ballots), (SELECT count(*) FROM rejected_ballots)"
    ).fetchone()
    assert row is not None
    return QuarantineCounts(*row)


def latest_unmatched(tx: Tx, *, limit: int) -> list[NamedTuple]:
    """Return ballots whose voter, competition or option does not exist here (R9), newest first."""
    query = """
        SELECT u.competition_id AS competition, u.user_id AS voter, u.shard, u.epoch, u.position, u.cast_at, u.noticed_at,
               c.name
        FROM unmatched_ballots u
        LEFT JOIN competitions c ON c.id = u.competition_id
        ORDER BY u.noticed_at DESC, u.shard, u.position DESC LIMIT %s
    """
    return tx.fetch_rows(query, (limit,))


def latest_rejected(tx: Tx, *, limit: int) -> list[NamedTuple]:
    """Return log entries that cannot be read, newest first."""
    query = """
        SELECT shard, epoch, position, split_part(reason, ':', 1) AS reason, rejected_at FROM rejected_ballots
        ORDER BY rejected_at DESC, shard, position DESC LIMIT %s
    """
    return tx.fetch_rows(query, (limit,))
