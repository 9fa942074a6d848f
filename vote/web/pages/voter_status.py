"""Where a voter stands in a competition: nothing stored, accepted, recorded, or not known because the log is away."""

from dataclasses import dataclass
from typing import Literal

from vote.db import competitions, votes
from vote.domain.ballot import receipt_code
from vote.domain.competition import Competition
from vote.domain.person import Person
from vote.errors import LogUnavailable
from vote.services.container import Parts

Word = Literal["none", "accepted", "recorded", "unknown"]


@dataclass(frozen=True, slots=True)
class Standing:
    """What is stored for a voter. `choice` and `receipt` are there when `has_voted`; `is_change`: another is recorded."""

    word: Word
    choice: str | None = None
    receipt: str | None = None
    is_change: bool = False

    @property
    def has_voted(self) -> bool:
        """Whether a ballot of theirs is stored for certain."""
        return self.word in ("accepted", "recorded")


NONE = Standing("none")


def of(parts: Parts, person: Person | None, competition: Competition) -> Standing:
    """Ask the journal's votes first, then the log, which may hold a newer choice on its way."""
    if person is None or competition.opened_at is None:
        return NONE
    with parts.db.read() as tx:
        recorded = votes.choice_of(tx, competition.id, person.id)
    try:
        stored = parts.log.stored_choice(competition.id, person.id)
    except LogUnavailable:
        if recorded is None:
            return Standing("unknown")
        stored = recorded
    choice = stored or recorded
    if choice is None:
        return NONE
    receipt = receipt_code(_receipt_key(parts, competition), person.id)
    if choice == recorded:
        return Standing("recorded", choice, receipt)
    return Standing("accepted", choice, receipt, is_change=recorded is not None)


def _receipt_key(parts: Parts, competition: Competition) -> bytes:
    """The key; a copy from the cache comes without it."""
    if competition.receipt_key:
        return competition.receipt_key
    with parts.db.read() as tx:
        return competitions.receipt_keys(tx, [competition.id], known_up_to=0)[competition.id]
