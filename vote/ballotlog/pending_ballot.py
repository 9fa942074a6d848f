"""A ballot that waits to be cast, and the log's decision on it."""

from collections.abc import Callable
from typing import Literal, NamedTuple

import structlog

from vote.errors import LogUnavailable

logger = structlog.get_logger()

CastResult = Literal["accepted", "changed", "again", "already", "early", "closed", "no_option", "unknown"]
APPENDED: tuple[CastResult, ...] = ("accepted", "changed")


class Outcome(NamedTuple):
    """The log's decision on a ballot. `position` is its position when it was appended, otherwise None."""

    result: CastResult
    shard: int
    position: int | None


OnResult = Callable[["Outcome | LogUnavailable"], None]


class PendingBallot(NamedTuple):
    """One press of the button on its way to the log. `on_result` is called once, with the outcome."""

    competition: int
    voter: int
    choice: str
    ballot_id: str
    shard: int
    on_result: OnResult
    since: float  # monotonic: when it was put

    def fail(self, detail: str | None = None) -> None:
        """Answer that the ballot is not confirmed."""
        self.settle(LogUnavailable(detail))

    def settle(self, outcome: "Outcome | LogUnavailable") -> None:
        """Pass the decision on to the voter's request."""
        try:
            self.on_result(outcome)
        except Exception:  # whatever happens to one voter's answer, the others of the call get theirs
            logger.exception("outcome not delivered")


def refuse_late(batch: list[PendingBallot], latest: float) -> list[PendingBallot]:
    """Fail the ballots put before `latest`, which were not sent. Returns the others."""
    for ballot in batch:
        if ballot.since < latest:
            ballot.fail()
    return [ballot for ballot in batch if ballot.since >= latest]
