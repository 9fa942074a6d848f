"""High-water marks of acknowledged ballots, one per shard, kept where the log cannot lose them (R6)."""

from typing import NamedTuple


class AcknowledgedMark(NamedTuple):
    """High-water mark: a position in one epoch, and its ballot's id. A log that lost the ballot may regrow past it."""

    epoch: str
    position: int
    entry_id: str
