"""Models of people's own data in the API."""

from datetime import date, datetime
from typing import Any

from pydantic import Field

from vote.domain.person import Role
from vote.web.api.competition_models import CorrectionOut
from vote.web.api.models import Output


class User(Output):
    """An account as its owner sees it."""

    id: int
    username: str
    email: str
    role: Role
    created_at: datetime


class OwnVote(Output):
    """A vote of yours. Only you can see the choice."""

    competition: int
    name: str
    choice: str
    choice_label: str
    created_at: datetime
    changed_at: datetime | None
    receipt: str
    archived: bool = Field(
        description="Whether the competition is archived: only its organiser and admins see its pages."
    )
    corrections: list[CorrectionOut] = Field(description="Corrections made there while voting was open, oldest first.")


class CastBallot(Output):
    """A ballot that you cast. If votes can be changed, there may be several per competition."""

    competition: int
    choice: str
    cast_at: datetime
    recorded_at: datetime
    receipt: str


class OrganisedCompetition(Output):
    """A competition that you organise."""

    id: int
    name: str
    created_at: datetime


class AuditLine(Output):
    """An audit entry about the account, or about something its owner did."""

    at: datetime
    actor: str
    action: str
    subject: str
    subject_id: str
    before: dict[str, Any] | None
    after: dict[str, Any] | None


class KnownDevice(Output):
    """A browser that the owner of the account has logged in with."""

    id: int
    device: str
    first_used_at: datetime
    last_used_at: datetime = Field(description="The last login there.")


class KnownDevices(Output):
    """Known devices, the last used first."""

    devices: list[KnownDevice]


class Export(Output):
    """The account's complete data, as of `as_of`."""

    as_of: datetime
    user: User
    last_login_on: date | None
    first_password: bool = Field(
        description="Whether the password is temporary: someone else may know it. Choose your own on /account."
    )
    votes: list[OwnVote]
    ballots: list[CastBallot]
    competitions: list[OrganisedCompetition]
    devices: list[KnownDevice]
    audit: list[AuditLine]
