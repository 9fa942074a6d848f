"""When the votes of a new tally were committed, in monotonic time: `vote_snapshot_delay_seconds` begins there.

Shards say when they last moved, by PostgreSQL's clock, which also says how long ago that is: two clocks are never compared.
"""

import time
from collections.abc import Mapping

from vote.db.shard_positions import Move


class CommitTimes:
    """The last moves of all shards, as of the reading before."""

    def __init__(self) -> None:
        self._before: Mapping[int, Move] = {}

    def oldest_new(self, moves: Mapping[int, Move]) -> float | None:
        """Return when the shard that moved first, of those that moved since the reading before, did so; None for none.

        A shard that moved twice counts with its second move, and each with ballots of all competitions.
        """
        now, before, self._before = time.monotonic(), self._before, moves
        new = [
            move.ago_s for shard, move in moves.items() if shard in before and move.moved_at != before[shard].moved_at
        ]
        return now - max(new) if new else None
