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


class RecordingLag(NamedTuple):
    """Entries not recorded, the age of the oldest ballot among them, and the longest time that a shard with such entries has
    not advanced. Seconds.
    """

    pending: int
    lag_s: float
    still_s: float


def measure(
    log: BallotLog, shards: Iterable[Shard], positions: Mapping[int, Position], moved_s: Mapping[int, float]
) -> RecordingLag:
    """Compare the log with the recorded positions. `moved_s`: seconds since each shard's position moved. Raises
    LogUnavailable.
    """
    pending, lag_s, still_s = 0, 0.0, 0.0
    for shard in shards:
        position = recorded_position(shard, positions)
        if shard.last <= position:
            continue
        pending += shard.last - position
        age_s = _oldest_s(log, shard, position)
        if age_s is not None:
            lag_s = max(lag_s, age_s)
            still_s = max(still_s, min(age_s, moved_s.get(shard.number, age_s)))
    return RecordingLag(pending, lag_s, still_s)


def recorded_position(shard: Shard, positions: Mapping[int, Position]) -> int:
    """Return up to where the shard's present epoch is recorded. A position of another epoch means nothing in it (R5)."""
    known = positions.get(shard.number)
    return known.position if known is not None and known.epoch == shard.epoch else 0


def _oldest_s(log: BallotLog, shard: Shard, position: int) -> float | None:
    for entry in log.read_after(shard.number, position, SCANNED_ENTRIES):
        if isinstance(entry.content, Ballot):
            return max(0.0, shard.now_ms / 1000 - entry.content.cast_at.timestamp())
    return None
