"""Models of gaps, uncounted ballots and admins' decisions on them in the API."""

from datetime import datetime
from typing import Annotated

from pydantic import AfterValidator, Field, StringConstraints

from vote.actions.closing import REASON_MAX_CHARS
from vote.web.api.competition_models import ManagedCompetition, NextId, at_most, readable, visible
from vote.web.api.models import Input, Output


class Decision(Input):
    """The reason for an admin's decision. It is audited and cannot be undone."""

    reason: Annotated[
        str,
        StringConstraints(strip_whitespace=True, min_length=1, max_length=REASON_MAX_CHARS),
        AfterValidator(readable),
        AfterValidator(visible),
        at_most(REASON_MAX_CHARS),
        Field(description="What you checked and what you found. Kept with your username and the time."),
    ]


class GapOut(Output):
    """A gap between two epochs of a shard. Ballots accepted after the old position may be missing."""

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
    """A page of gaps. Those waiting for a decision come first, then the newest."""

    gaps: list[GapOut]
    next: NextId


class WaitingFor(Output):
    """Everything that a closing competition is waiting for."""

    pending: int | None = Field(
        description="Ballots accepted but not yet recorded; an upper bound if there are thousands. Null while the ballot"
        " log is not answering."
    )
    gaps: list[int] = Field(description="Ids of the gaps noticed since it opened that nobody has decided on.")
    unmatched: int = Field(description="How many of its ballots are set aside.")


class ShownCompetition(ManagedCompetition):
    """A competition as those who manage it see it, with everything that its closing waits for."""

    waiting_for: WaitingFor | None = Field(description="Null unless it is closing.")


class Reinstated(Output):
    """The ballots that will be counted."""

    ballots: int = Field(description="How many match now and will be recorded.")


class UnmatchedOut(Output):
    """An accepted ballot whose voter, competition or option is unknown."""

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
    """The number of unmatched ballots, and the latest."""

    count: int
    latest: list[UnmatchedOut]


class RejectedEntries(Output):
    """The number of rejected entries, and the latest."""

    count: int
    latest: list[RejectedOut]


class SetAside(Output):
    """Ballots that were accepted but are not counted. Choices are never shown."""

    unmatched: UnmatchedBallots
    rejected: RejectedEntries
