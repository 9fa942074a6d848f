"""Determines a voter's status in a competition: nothing stored, accepted, recorded, or unknown while the log is down."""

from dataclasses import dataclass
from typing import Literal

from vote.db import competitions, votes
from vote.domain.competition import Competition
from vote.domain.person import Person
from vote.domain.receipt import receipt_code
from vote.errors import LogUnavailable
from vote.services.container import Services

VoterStatus = Literal["none", "accepted", "recorded", "unknown"]


@dataclass(frozen=True, slots=True)
class StoredVote:
    """The vote stored for a voter. `choice` and `receipt` are set if `has_voted`; `is_change`: another choice is
    recorded.
    """

    status: VoterStatus
    choice: str | None = None
    receipt: str | None = None
    is_change: bool = False

    @property
    def has_voted(self) -> bool:
        """Return whether a ballot of theirs is certainly stored."""
        return self.status in ("accepted", "recorded")


NONE = StoredVote("none")


def find(services: Services, person: Person | None, competition: Competition) -> StoredVote:
    """Return the voter's status: look up the recorded vote, then the log, which may have a newer choice."""
    if person is None or competition.opened_at is None:
        return NONE
    with services.db.read() as tx:
        recorded = votes.choice_of(tx, competition.id, person.id)
    try:
        stored = services.log.stored_choice(competition.id, person.id)
    except LogUnavailable:
        if recorded is None:
            return StoredVote("unknown")
        stored = recorded
    choice = stored or recorded
    if choice is None:
        return NONE
    receipt = receipt_code(_receipt_key(services, competition), person.id)
    if choice == recorded:
        return StoredVote("recorded", choice, receipt)
    return StoredVote("accepted", choice, receipt, is_change=recorded is not None)


def _receipt_key(services: Services, competition: Competition) -> bytes:
    """Return the receipt key; a cached competition comes without it."""
    if competition.receipt_key:
        return competition.receipt_key
    with services.db.read() as tx:
        return competitions.receipt_keys(tx, [competition.id], known_up_to=0)[competition.id]
