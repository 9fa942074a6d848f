"""Gaps as admins see them: open and decided ones, and the gaps that a final tally was decided over."""

from datetime import datetime
from typing import LiteralString, NamedTuple

from vote.db.paging import Page, cut
from vote.db.pool import Tx
from vote.domain.competition import Competition


class Gap(NamedTuple):
    """A gap between two epochs of a shard. It is open while `decided_at` is None.

    `decider` is the username of the admin who decided, None when there is none or they were erased.
    """

    id: int
    shard: int
    old_epoch: str
    old_position: int
    new_epoch: str
    noticed_at: datetime
    decided_at: datetime | None = None
    decided_by: int | None = None
    reason: str | None = None
    decider: str | None = None


PAGE_SIZE = 100  # decided gaps on one page

_GAPS: LiteralString = """
    SELECT g.id, g.shard, g.old_epoch, g.old_position, g.new_epoch, g.noticed_at, g.decided_at, g.decided_by,
           g.reason, u.username
    FROM log_gaps g
    LEFT JOIN users u ON u.id = g.decided_by
"""
_NEWEST_FIRST: LiteralString = "ORDER BY g.noticed_at DESC, g.id DESC"


class GapSummary(NamedTuple):
    """The losses that a tally is, or will be, final over: gaps noticed while the competition was open, unmatched
    ballots.
    """

    gaps: int
    unmatched: int


def listed(tx: Tx, *, after: int | None = None) -> Page[Gap]:
    """Return a page of gaps, newest first: the first page has all that wait for a decision, then come decided ones."""
    waiting = tx.execute(f"{_GAPS} WHERE g.decided_at IS NULL {_NEWEST_FIRST}") if after is None else ()
    # Ids of gaps are random, so pages follow the time at which gaps were noticed.
    decided = tx.execute(
        f"""
        {_GAPS} WHERE g.decided_at IS NOT NULL AND (%(after)s::bigint IS NULL OR (g.noticed_at, g.id) < (
            SELECT noticed_at, id FROM log_gaps WHERE id = %(after)s)) {_NEWEST_FIRST} LIMIT %(limit)s
        """,  # noqa: S608  # nosec B608: all parts are literals
        {"after": after, "limit": PAGE_SIZE + 1},
    )
    page = cut([Gap(*row) for row in decided], PAGE_SIZE)
    return page._replace(rows=[*(Gap(*row) for row in waiting), *page.rows])


def count_open(tx: Tx) -> int:
    """Return how many gaps are not decided."""
    return int(tx.fetch_value("SELECT count(*) FROM log_gaps WHERE decided_at IS NULL"))


def were_there(tx: Tx) -> bool:
    """Return whether there has ever been a gap, decided or not."""
    return bool(tx.fetch_value("SELECT EXISTS (SELECT FROM log_gaps)"))


def summary_of(tx: Tx, competition: Competition) -> GapSummary:
    """Return how many gaps, decided or not, fall between opening and closing, and how many ballots are unmatched."""
    row = tx.execute(
        """
        SELECT (SELECT count(*) FROM log_gaps WHERE noticed_at >= %s AND (%s::timestamptz IS NULL OR noticed_at <= %s)),
               (SELECT count(*) FROM unmatched_ballots WHERE competition_id = %s)
        """,
        (competition.opened_at, competition.closed_at, competition.closed_at, competition.id),
    ).fetchone()
    assert row is not None
    return GapSummary(*row)


def insert_decision(tx: Tx, competition_id: int, *, by: int, reason: str, gaps: list[int], unmatched: int) -> None:
    """Record an admin's decision that a tally is final over these gaps and this many unmatched ballots."""
    tx.execute(
        "INSERT INTO decisions (competition_id, decided_by, reason, gaps, unmatched) VALUES (%s, %s, %s, %s, %s)",
        (competition_id, by, reason, gaps, unmatched),
    )
