"""Types for a shard's state and for pushes to it: the answers of `describe` and `push_rules` in `box.lua`."""

from typing import Any, Literal, NamedTuple

PUSH_BUDGET_MS = 2_000  # a push that takes longer than this does nothing (R7)

PushStatus = Literal["ok", "expired", "foreign", "cold", "behind"]


class Pushed(NamedTuple):
    """The result of a push of rules. `forgotten`: those of the competitions whose voters the shard has forgotten."""

    status: PushStatus
    forgotten: frozenset[int] = frozenset()


class Shard(NamedTuple):
    """A shard at one moment. `now_ms` is the log's clock then; `installation` and `epoch` are empty when there is none.

    `resumed_ms`: when it was made ready again under its epoch, after a restart of the server; 0 when it never was.
    """

    number: int
    now_ms: int
    epoch: str
    instance: str
    last: int
    ready_for: str
    installation: str = ""
    set_back: str = ""
    resumed_ms: int = 0

    @property
    def ready(self) -> bool:
        """Return whether the shard takes ballots: it was made ready for the running server instance (R5)."""
        return self.ready_for == self.instance

    @property
    def is_set_back(self) -> bool:
        """Return whether the shard was found to lack acknowledged ballots of its present epoch (R6)."""
        return self.set_back != "" and self.set_back == self.epoch

    @classmethod
    def parse(cls, number: int, answer: list[Any]) -> "Shard":
        """Parse an answer. An older library's shorter answer reads as a shard without an owner."""
        return cls(number, answer[0], *answer[2:])

    def for_push(self) -> tuple[int, str, str]:
        """Return the arguments of every push: its deadline, and the epoch and instance it is for (R7)."""
        return self.now_ms + PUSH_BUDGET_MS, self.epoch, self.instance
