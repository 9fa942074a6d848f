"""Gaps as admins read them: open and decided ones, and what a final tally had to be decided over."""

from datetime import datetime
from typing import NamedTuple

from vote.db.pool import Tx
from vote.domain.competition import Competition


class GapRow(NamedTuple):
    """A break between two lives of a shard. Nobody has decided on it while `decided_at` is None.

    `decider` is the user name of who did, None when there is nobody or the person was erased.
    """

    id: int
    shard: int
    old_epoch: str
    old_position: int
    new_epoch: str
    noticed_at: datetime
    decided_at: datetime | None
    decided_by: int | None
    reason: str | None
    decider: str | None


class Overcome(NamedTuple):
    """What a tally is final over, or will be: breaks noticed while the competition lived, ballots kept aside."""

    gaps: int
    unmatched: int


def listed(tx: Tx, *, limit: int = 500) -> list[GapRow]:
    """Gaps that wait for a decision first, then the newest."""
    rows = tx.execute(
        """
        SELECT g.id, g.shard, g.old_epoch, g.old_position, g.new_epoch, g.noticed_at, g.decided_at, g.decided_by,
               g.reason, u.username
        FROM log_gaps g
        LEFT JOIN users u ON u.id = g.decided_by
        ORDER BY g.decided_at IS NOT NULL, g.noticed_at DESC, g.shard LIMIT %s
        """,
        (limit,),
    )
    return [GapRow(*row) for row in rows]


def count_open(tx: Tx) -> int:
    """Gaps that nobody has decided on."""
    row = tx.execute("SELECT count(*) FROM log_gaps WHERE decided_at IS NULL").fetchone()
    assert row is not None
    return int(row[0])


def were_there(tx: Tx) -> bool:
    """Whether there has ever been a gap, decided or not."""
    row = tx.execute("SELECT EXISTS (SELECT FROM log_gaps)").fetchone()
    return row is not None and bool(row[0])


def overcome(tx: Tx, competition: Competition) -> Overcome:
    """Decided or not: gaps from its opening to its closing, and its ballots that are kept aside."""
    row = tx.execute(
        """
        SELECT (SELECT count(*) FROM log_gaps WHERE noticed_at >= %s AND (%s::timestamptz IS NULL OR noticed_at <= %s)),
               (SELECT count(*) FROM unmatched_ballots WHERE competition_id = %s)
        """,
        (competition.opened_at, competition.closed_at, competition.closed_at, competition.id),
    ).fetchone()
    assert row is not None
    return Overcome(int(row[0]), int(row[1]))
