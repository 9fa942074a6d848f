"""A ballot that waits to be cast, and the log's decision on it."""

import asyncio
from typing import Literal, NamedTuple

from vote.errors import LogUnavailable

CastResult = Literal["accepted", "changed", "again", "already", "early", "closed", "no_option", "unknown"]
APPENDED: tuple[CastResult, ...] = ("accepted", "changed")


class Outcome(NamedTuple):
    """The log's decision on a ballot. `position` is its position when it was appended, otherwise None."""

    result: CastResult
    shard: int
    epoch: str
    position: int | None


class PendingBallot(NamedTuple):
    """A ballot waiting for the log's decision. `outcome` is resolved once."""

    competition: int
    voter: int
    choice: str
    ballot_id: str
    shard: int
    outcome: "asyncio.Future[Outcome]"
    since: float  # monotonic time at which it was put into the box

    def fail(self, detail: str | None = None) -> None:
        """Resolve the ballot as not confirmed."""
        if not self.outcome.done():  # else the client has disconnected
            self.outcome.set_exception(LogUnavailable(detail))

    def resolve(self, outcome: Outcome) -> None:
        """Resolve the ballot with the log's decision."""
        if not self.outcome.done():
            self.outcome.set_result(outcome)


def refuse_late(batch: list[PendingBallot], latest: float) -> list[PendingBallot]:
    """Fail the unsent ballots that were put into the box before `latest`. Returns the others."""
    for ballot in batch:
        if ballot.since < latest:
            ballot.fail()
    return [ballot for ballot in batch if ballot.since >= latest]
