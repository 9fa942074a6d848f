"""What a shard says about itself: the answer of `describe` in `box.lua`."""

from typing import Any, Literal, NamedTuple

PUSH_BUDGET_MS = 2_000  # a push that takes longer than this does nothing (R7)

PushStatus = Literal["ok", "expired", "foreign", "cold", "behind"]


class Pushed(NamedTuple):
    """The result of a push of rules. `forgotten`: competitions with newer rules that wait for their voters."""

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
        """Whether it takes ballots: it was made ready for the server instance that runs now (R5)."""
        return self.ready_for == self.instance

    @property
    def is_set_back(self) -> bool:
        """Whether it was seen to lack what was acknowledged in its present epoch (R6)."""
        return self.set_back != "" and self.set_back == self.epoch

    @classmethod
    def parse(cls, number: int, answer: list[Any]) -> "Shard":
        """Parse an answer. A library of an older version says less, which reads as: belongs to nobody."""
        return cls(number, answer[0], *answer[2:])

    def for_push(self) -> tuple[int, str, str]:
        """Return what every push names: its deadline, and the epoch and instance it is for (R7)."""
        return self.now_ms + PUSH_BUDGET_MS, self.epoch, self.instance
