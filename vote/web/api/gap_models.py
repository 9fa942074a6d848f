"""Gaps, ballots that are set aside, and an admin's word on them, as the API takes and gives them."""

from datetime import datetime
from typing import Annotated

from pydantic import AfterValidator, Field, StringConstraints

from vote.actions.closing import REASON_MAX_CHARS
from vote.web.api.account_models import Input, Output
from vote.web.api.competition_models import ManagedCompetition, NextId, readable, visible


class Decision(Input):
    """An admin's word, with the reason. It is audited and cannot be taken back."""

    reason: Annotated[
        str,
        StringConstraints(strip_whitespace=True, min_length=1, max_length=REASON_MAX_CHARS),
        AfterValidator(readable),
        AfterValidator(visible),
        Field(description="What was looked into, and what was found. Kept with the name and the time."),
    ]


class GapOut(Output):
    """A break between two lives of a shard: what was accepted after the old position may be missing."""

    id: int
    shard: int
    old_epoch: str
    old_position: int
    new_epoch: str
    noticed_at: datetime
    decided_at: datetime | None
    decided_by: int | None
    reason: str | None


class GapList(Output):
    """A page of gaps: those that wait for a decision first, then the newest."""

    gaps: list[GapOut]
    next: NextId


class WaitingFor(Output):
    """What keeps a closing competition from being final."""

    pending: int | None = Field(
        description="Ballots accepted and not recorded yet; at most so many when there are thousands. Null while the ballot"
        " log does not answer."
    )
    gaps: list[int] = Field(description="Gaps noticed since it opened that nobody has decided on.")
    unmatched: int = Field(description="Its ballots that are set aside.")


class ShownCompetition(ManagedCompetition):
    """A competition as those who run it see it, and what its closing waits for."""

    waiting_for: WaitingFor | None = Field(description="Null unless it is closing.")


class Reinstated(Output):
    """What an admin's word on unmatched ballots will come to."""

    ballots: int = Field(description="How many match now, and will be recorded.")


class UnmatchedOut(Output):
    """An accepted ballot whose voter, competition or option is not known."""

    competition: int
    voter: int
    shard: int
    epoch: str
    position: int
    cast_at: datetime
    noticed_at: datetime


class RejectedOut(Output):
    """An entry of the ballot log that cannot be read."""

    shard: int
    epoch: str
    position: int
    reason: str
    rejected_at: datetime


class UnmatchedBallots(Output):
    """How many, and the latest."""

    count: int
    latest: list[UnmatchedOut]


class RejectedEntries(Output):
    """How many, and the latest."""

    count: int
    latest: list[RejectedOut]


class SetAside(Output):
    """What was accepted and is not counted. It never tells a choice."""

    unmatched: UnmatchedBallots
    rejected: RejectedEntries
