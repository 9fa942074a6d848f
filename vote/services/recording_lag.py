"""Measure what the ballot log holds that PostgreSQL has not recorded, and whether recording advances; for probes and
metrics.
"""

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from vote.ballotlog.log import BallotLog
from vote.ballotlog.shard import Shard
from vote.db.shard_positions import Position
from vote.domain.ballot import Ballot

SCANNED_ENTRIES = 100  # rules and markers, which have no time, may precede the oldest ballot


class ShardLag(NamedTuple):
    """Entries of a shard that are not recorded, and the age of the oldest ballot among them. Seconds."""

    pending: int
    lag_s: float


class RecordingLag(NamedTuple):
    """Entries not recorded, the age of the oldest ballot among them, and the longest time that a shard with such entries has
    not advanced. Seconds. `shards` has the first two by shard.
    """

    pending: int
    lag_s: float
    still_s: float
    shards: dict[int, ShardLag]


def measure(
    log: BallotLog, shards: Iterable[Shard], positions: Mapping[int, Position], moved_s: Mapping[int, float]
) -> RecordingLag:
    """Compare the log with the recorded positions. `moved_s`: seconds since each shard's position moved. Raises
    LogUnavailable.
    """
    by_shard, still_s = {}, 0.0
    for shard in shards:
        position = recorded_position(shard, positions)
        age_s = None if shard.last <= position else _oldest_s(log, shard, position)
        by_shard[shard.number] = ShardLag(max(0, shard.last - position), age_s or 0.0)
        if age_s is not None:
            still_s = max(still_s, min(age_s, moved_s.get(shard.number, age_s)))
    lags = by_shard.values()
    lag_s = max((lag.lag_s for lag in lags), default=0.0)
    return RecordingLag(sum(lag.pending for lag in lags), lag_s, still_s, by_shard)


def recorded_position(shard: Shard, positions: Mapping[int, Position]) -> int:
    """Return up to where the shard's present epoch is recorded. A position of another epoch means nothing in it (R5)."""
    known = positions.get(shard.number)
    return known.position if known is not None and known.epoch == shard.epoch else 0


def _oldest_s(log: BallotLog, shard: Shard, position: int) -> float | None:
    for entry in log.read_after(shard.number, position, SCANNED_ENTRIES):
        if isinstance(entry.content, Ballot):
            return max(0.0, shard.now_ms / 1000 - entry.content.cast_at.timestamp())
    return None
