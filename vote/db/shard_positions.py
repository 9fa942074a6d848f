"""Recorded positions of the ballot log's shards. A shard's row is its lock (`shard_lock.py`)."""

from collections.abc import Mapping
from datetime import datetime
from typing import LiteralString, NamedTuple

from vote.db.gaps import Gap
from vote.db.pool import Tx


class Move(NamedTuple):
    """The last advance of a shard: when it was, in seconds since 1970, and how long ago that is, by PostgreSQL's clock."""

    moved_at: float
    ago_s: float


class Position(NamedTuple):
    """The position up to which a shard is recorded. `epoch` is None before its first epoch.

    `recorded` and `chain` are number and chain value of the newest row of the shard's journal.
    """

    shard: int
    epoch: str | None
    position: int
    last_entry: str | None
    recorded: int
    chain: bytes


POSITION: LiteralString = "SELECT shard, epoch, position, last_entry, recorded, chain FROM log_positions"


def ensure_shards(tx: Tx, shards: int) -> int:
    """Fix the number of shards at the first start. Returns the number this database was made for, which never changes."""
    tx.execute("INSERT INTO settings (key, value) VALUES ('shards', %s) ON CONFLICT DO NOTHING", (str(shards),))
    fixed = int(tx.fetch_value("SELECT value::int FROM settings WHERE key = 'shards'"))
    tx.execute("INSERT INTO log_positions (shard) SELECT generate_series(0, %s - 1) ON CONFLICT DO NOTHING", (fixed,))
    return fixed


def all_positions(tx: Tx) -> dict[int, Position]:
    """Return the recorded position of every shard."""
    rows = tx.execute(POSITION + " ORDER BY shard")
    return {row[0]: Position(*row) for row in rows}


def seconds_since_moved(tx: Tx) -> dict[int, float]:
    """Return how many seconds ago each shard's position last advanced, or was created."""
    return {shard: move.ago_s for shard, move in last_moves(tx).items()}


def last_moves(tx: Tx) -> dict[int, Move]:
    """Return when each shard's position last advanced, or was created."""
    rows = tx.execute(
        """
        SELECT shard, extract(epoch FROM moved_at)::float8, extract(epoch FROM clock_timestamp() - moved_at)::float8
        FROM log_positions
        """
    )
    return {shard: Move(moved_at, ago_s) for shard, moved_at, ago_s in rows}


def count_recorded(tx: Tx) -> int:
    """Return the number of ballots in the journal, without counting rows."""
    return int(tx.fetch_value("SELECT coalesce(sum(recorded), 0)::bigint FROM log_positions"))


def insert_gap(tx: Tx, *, shard: int, old_epoch: str, old_position: int, new_epoch: str) -> None:
    """Insert a gap row: entries of the old epoch after its position may be lost."""
    tx.execute(
        """
        INSERT INTO log_gaps (shard, old_epoch, old_position, new_epoch) VALUES (%s, %s, %s, %s)
        ON CONFLICT (shard, old_epoch, new_epoch) DO NOTHING
        """,
        (shard, old_epoch, old_position, new_epoch),
    )


def is_new_epoch(tx: Tx, shard: int, epoch: str) -> bool:
    """Return whether this epoch began after another one that held ballots."""
    row = tx.execute("SELECT 1 FROM log_gaps WHERE shard = %s AND new_epoch = %s LIMIT 1", (shard, epoch)).fetchone()
    return row is not None


def open_gaps(tx: Tx, since: datetime | None = None) -> list[Gap]:
    """Return gaps that no admin has decided; with `since`, only those noticed from then on."""
    rows = tx.execute(
        """
        SELECT id, shard, old_epoch, old_position, new_epoch, noticed_at FROM log_gaps
        WHERE decided_at IS NULL AND (%s::timestamptz IS NULL OR noticed_at >= %s) ORDER BY noticed_at, shard
        """,
        (since, since),
    )
    return [Gap(*row) for row in rows]


def decide_gap(tx: Tx, gap_id: int, *, by: int, reason: str) -> bool:
    """Record an admin's decision on a gap. Returns False when there is no open gap with this id."""
    decided = tx.execute(
        "UPDATE log_gaps SET decided_at = now(), decided_by = %s, reason = %s WHERE id = %s AND decided_at IS NULL",
        (by, reason, gap_id),
    )
    return decided.rowcount == 1


def set_marker(tx: Tx, *, competition: int, shard: int, version: int) -> None:
    """Note that this shard's closing marker of this version is recorded (R8). Skips a competition deleted meanwhile."""
    tx.execute(
        """
        INSERT INTO log_markers AS m (competition_id, shard, version)
        SELECT id, %s, %s FROM competitions WHERE id = %s FOR KEY SHARE
        ON CONFLICT (competition_id, shard) DO UPDATE SET version = greatest(m.version, excluded.version)
        """,
        (shard, version, competition),
    )


def markers(tx: Tx, competition: int) -> Mapping[int, int]:
    """Return the newest recorded marker version per shard."""
    return dict(
        tx.execute("SELECT shard, version FROM log_markers WHERE competition_id = %s", (competition,)).fetchall()
    )


def count_unmatched(tx: Tx, competition: int) -> int:
    """Return how many ballots of this competition are kept aside."""
    return int(tx.fetch_value("SELECT count(*) FROM unmatched_ballots WHERE competition_id = %s", (competition,)))
