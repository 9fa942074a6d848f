"""A ballot that waits to be cast, and what the log decides on it."""

from collections.abc import Callable
from typing import Literal, NamedTuple

import structlog

from vote.errors import LogUnavailable

logger = structlog.get_logger()

CastResult = Literal["accepted", "changed", "again", "already", "early", "closed", "no_option", "unknown"]
APPENDED: tuple[CastResult, ...] = ("accepted", "changed")


class Outcome(NamedTuple):
    """What the log decided. `position` is the ballot's place when it was appended."""

    result: CastResult
    shard: int
    position: int | None


OnResult = Callable[["Outcome | LogUnavailable"], None]


class PendingBallot(NamedTuple):
    """One press of the button on its way to the log."""

    competition: int
    voter: int
    choice: str
    ballot_id: str
    shard: int
    tell: OnResult
    since: float  # monotonic: when it was put

    def fail(self, detail: str | None = None) -> None:
        """Tell that it is not confirmed."""
        self.settle(LogUnavailable(detail))

    def settle(self, outcome: "Outcome | LogUnavailable") -> None:
        """Tell what was decided."""
        try:
            self.tell(outcome)
        except Exception:  # whatever happens to one voter's answer, the others of the call get theirs
            logger.exception("an outcome was not told")


def refuse_late(batch: list[PendingBallot], latest: float) -> list[PendingBallot]:
    """Tell those who were put before `latest` that their ballot was not sent; returns the others."""
    for ballot in batch:
        if ballot.since < latest:
            ballot.fail()
    return [ballot for ballot in batch if ballot.since >= latest]
