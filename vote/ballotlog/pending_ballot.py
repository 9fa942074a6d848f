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
    position: int | None


class PendingBallot(NamedTuple):
    """One press of the button on its way to the log. `outcome` is resolved once."""

    competition: int
    voter: int
    choice: str
    ballot_id: str
    shard: int
    outcome: "asyncio.Future[Outcome]"
    since: float  # monotonic: when it was put into the box

    def fail(self, detail: str | None = None) -> None:
        """Resolve as not confirmed."""
        if not self.outcome.done():  # else the client has gone away
            self.outcome.set_exception(LogUnavailable(detail))

    def resolve(self, outcome: Outcome) -> None:
        """Resolve with what the log decided."""
        if not self.outcome.done():
            self.outcome.set_result(outcome)


def refuse_late(batch: list[PendingBallot], latest: float) -> list[PendingBallot]:
    """Fail the ballots put before `latest`, which were not sent. Returns the others."""
    for ballot in batch:
        if ballot.since < latest:
            ballot.fail()
    return [ballot for ballot in batch if ballot.since >= latest]
