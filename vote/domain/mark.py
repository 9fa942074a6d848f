"""The mark of a shard: the highest place in its log that was acknowledged, kept where the log cannot lose it (R6)."""

from typing import NamedTuple


class AcknowledgedMark(NamedTuple):
    """A place in one epoch of a shard, and the id of the ballot there: a log that lost it may have grown past it again."""

    epoch: str
    position: int
    entry_id: str
