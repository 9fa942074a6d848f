"""What people are told about themselves."""

from datetime import date, datetime
from typing import Any

from pydantic import Field

from vote.web.api.account_models import Output, User
from vote.web.api.competition_models import CorrectionOut


class OwnVote(Output):
    """A vote of one's own. Only its owner is ever shown the choice."""

    competition: int
    name: str
    choice: str
    choice_label: str
    created_at: datetime
    changed_at: datetime | None
    receipt: str
    archived: bool = Field(description="The competition is archived: its pages are for who runs it.")
    corrections: list[CorrectionOut] = Field(description="What was corrected there while people voted, oldest first.")


class CastBallot(Output):
    """One time of voting: where a vote may be changed there can be several."""

    competition: int
    choice: str
    cast_at: datetime
    recorded_at: datetime
    receipt: str


class OrganisedCompetition(Output):
    """A competition one runs."""

    id: int
    name: str
    created_at: datetime


class AuditLine(Output):
    """Something that was done to the account, or that its owner did."""

    at: datetime
    actor: str
    action: str
    subject: str
    subject_id: str
    before: dict[str, Any] | None
    after: dict[str, Any] | None


class KnownDevice(Output):
    """A browser in which its owner has logged in."""

    id: int
    device: str
    first_used_at: datetime
    last_used_at: datetime = Field(description="The latest login there.")


class KnownDevices(Output):
    """All of them, the one used last first."""

    devices: list[KnownDevice]


class Export(Output):
    """All of it, as it was at `as_of`."""

    as_of: datetime
    user: User
    last_login_on: date | None
    first_password: bool = Field(description="The password was made by somebody else: choose another on /account.")
    votes: list[OwnVote]
    ballots: list[CastBallot]
    competitions: list[OrganisedCompetition]
    devices: list[KnownDevice]
    audit: list[AuditLine]
