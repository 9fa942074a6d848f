"""Retention: what to trim from the log, evict from its memory, or retire from the journal, by age."""

from collections.abc import Collection, Mapping
from datetime import datetime
from typing import NamedTuple

from vote.db.pool import Tx

MARK_EVERY_HOURS = 1
MARKS_KEPT_HOURS = 168
REOPENING_HOURS = 1  # a transaction that reopens ends long before


class PositionSample(NamedTuple):
    """A shard's position at some time."""

    epoch: str
    position: int


class Reopening(NamedTuple):
    """The time until which a closed competition can be reopened, and whether it has passed."""

    until: datetime
    is_over: bool


def mark_positions(tx: Tx) -> int:
    """Sample each shard's position, once an hour. Returns how many were sampled."""
    return tx.execute(
        """
        INSERT INTO position_marks (shard, epoch, position)
        SELECT p.shard, p.epoch, p.position FROM log_positions p
        WHERE p.epoch IS NOT NULL AND NOT EXISTS (
            SELECT FROM position_marks m
            WHERE m.shard = p.shard AND m.marked_at > now() - make_interval(hours => %s))
        ON CONFLICT DO NOTHING
        """,
        (MARK_EVERY_HOURS,),
    ).rowcount


def delete_old_marks(tx: Tx, *, keep_hours: int) -> int:
    """Delete samples older than a week, or than twice what the log must keep when that is longer."""
    return tx.execute(
        "DELETE FROM position_marks WHERE marked_at < now() - make_interval(hours => %s)",
        (max(MARKS_KEPT_HOURS, 2 * keep_hours),),
    ).rowcount


def newest_marks(tx: Tx, *, older_than_hours: int) -> dict[int, PositionSample]:
    """Return, per shard, its newest sample that is at least this old."""
    rows = tx.execute(
        """
        SELECT DISTINCT ON (shard) shard, epoch, position FROM position_marks
        WHERE marked_at <= now() - make_interval(hours => %s) ORDER BY shard, marked_at DESC
        """,
        (older_than_hours,),
    )
    return {row[0]: PositionSample(row[1], row[2]) for row in rows}


def reopening(tx: Tx, competition_id: int, *, keep_hours: int) -> Reopening:
    """Return until when a closed competition can be reopened: as long as the log knows who voted.

    What it says holds until the end of the transaction, if that has locked the competition.
    """
    row = tx.execute(
        """
        WITH one AS (SELECT least(forgotten_at, closed_at + make_interval(hours => %s)) AS until
                     FROM competitions WHERE id = %s)
        SELECT until, now() >= until FROM one
        """,
        (keep_hours, competition_id),
    ).fetchone()
    assert row is not None
    return Reopening(*row)


def to_forget(tx: Tx, *, keep_hours: int, begun: Collection[int] = ()) -> dict[int, int]:
    """Return competitions that are final, and not forgotten yet: {competition: version of its rules}.

    They are past reopening, and safe: where backups are verified, one that began after the closing was. Or forgetting
    them has `begun`.
    """
    rows = tx.execute(
        """
        WITH safe AS (SELECT coalesce(max(started_at), 'infinity') AS upto FROM backups WHERE verified_at IS NOT NULL)
        SELECT c.id, c.rules_version FROM competitions c, safe
        WHERE c.status IN ('closed', 'archived') AND c.forgotten_at IS NULL
          AND (c.id = ANY(%s) OR c.closed_at < least(safe.upto, now() - make_interval(hours => %s)))
        ORDER BY c.id
        """,
        (list(begun), keep_hours + REOPENING_HOURS),
    )
    return {row[0]: row[1] for row in rows}


def mark_forgotten(tx: Tx, versions: Mapping[int, int]) -> list[int]:
    """Note that the log has forgotten these, except those reopened or changed since. Returns their ids."""
    rows = tx.execute(
        """
        UPDATE competitions c SET forgotten_at = now()
        FROM unnest(%s::bigint[], %s::bigint[]) AS v (id, version)
        WHERE c.id = v.id AND c.rules_version = v.version AND c.status IN ('closed', 'archived')
        RETURNING c.id
        """,
        (list(versions.keys()), list(versions.values())),
    )
    return sorted(row[0] for row in rows)


def to_retire(tx: Tx, *, keep_days: int) -> list[int]:
    """Return competitions whose journal is older than it is kept."""
    rows = tx.execute(
        """
        SELECT id FROM competitions WHERE status IN ('closed', 'archived') AND journal_retired_at IS NULL
          AND closed_at < now() - make_interval(days => %s) ORDER BY id
        """,
        (keep_days,),
    )
    return [row[0] for row in rows]


def retire_ballots(tx: Tx, *, keep_days: int, shard: int, after: int, last: int) -> int:
    """Blank who voted what in old journal rows, from a stretch of one shard. Audited. Returns how many rows."""
    row = tx.execute(
        "SELECT retire_ballots(%s::int, %s::smallint, %s::bigint, %s::bigint)", (keep_days, shard, after, last)
    ).fetchone()
    assert row is not None
    return int(row[0])


def mark_retired(tx: Tx, competitions: list[int], *, closed_before: datetime) -> None:
    """Note that nothing is left to retire in these, except those reopened since."""
    tx.execute(
        """
        UPDATE competitions SET journal_retired_at = now()
        WHERE id = ANY(%s) AND status IN ('closed', 'archived') AND closed_at < %s
        """,
        (competitions, closed_before),
    )
