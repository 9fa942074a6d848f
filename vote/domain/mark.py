"""The acknowledged mark of a shard: its high-water mark of acknowledged ballots, kept where the log cannot lose it (R6)."""

from typing import NamedTuple


class AcknowledgedMark(NamedTuple):
    """High-water mark: a position in one epoch, and its ballot's id. A log that lost the ballot may regrow past it."""

    epoch: str
    position: int
    entry_id: str
