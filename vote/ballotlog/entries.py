"""Parses log entries, which `box.lua` writes as text. Keeps an unreadable entry, with the reason.

ballot <id> <competition> <voter> <choice> <cast_ms>
rules <id> <competition> <version>|<state>|<opens_ms>|<closes_ms>|<change>|<keys>
erase <id> <voter>
"""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Self
from uuid import UUID

from vote.domain.ballot import Ballot
from vote.domain.competition import Competition, State
from vote.domain.ids import is_id

STATES_OF_RULES: tuple[State, ...] = ("draft", "scheduled", "open", "closing", "closed", "archived")


@dataclass(frozen=True, slots=True)
class Rules:
    """A shard's copy of a competition's rules."""

    competition: int
    version: int
    state: State
    opens_at: datetime | None
    closes_at: datetime | None
    allow_change: bool
    keys: str

    @classmethod
    def from_competition(cls, competition: Competition) -> Self:
        """Return a competition's rules. One that is on hold counts as archived, so the log takes no ballots for it."""
        return cls(
            competition.id,
            competition.rules_version,
            "archived" if competition.held_until is not None else competition.state,
            competition.opens_at,
            competition.closes_at,
            competition.allow_change,
            "".join(option.key for option in competition.options),
        )

    def text(self) -> str:
        """Return the rules as `box.lua` stores them."""
        opens, closes = _milliseconds(self.opens_at), _milliseconds(self.closes_at)
        return f"{self.version}|{self.state}|{opens}|{closes}|{int(self.allow_change)}|{self.keys}"

    @classmethod
    def parse(cls, competition: int, text: str) -> Self:
        """Parse the output of `text`. Raises ValueError."""
        version, state, opens, closes, change, keys = text.split("|")
        known_state = next((known for known in STATES_OF_RULES if known == state), None)
        if known_state is None:
            raise ValueError(f"no such state: {state}")
        return cls(competition, int(version), known_state, _moment(opens), _moment(closes), change == "1", keys)


@dataclass(frozen=True, slots=True)
class Erasure:
    """The erasure of a person, repeated after every restore (R10)."""

    voter: int


@dataclass(frozen=True, slots=True)
class Unreadable:
    """An entry that can never be recorded, and why."""

    entry: str
    reason: str


@dataclass(frozen=True, slots=True)
class Entry:
    """An entry at a position of a shard. `id` is the entry's own random id, compared after a restart (R6)."""

    position: int
    id: str
    content: Ballot | Rules | Erasure | Unreadable


def parse(stream_id: str, text: str) -> Entry:
    """Return the entry at a stream id. Never raises for its text: an entry that cannot be read is Unreadable."""
    position = int(stream_id.partition("-")[0])
    kind, _, rest = text.partition(" ")
    entry_id = rest.partition(" ")[0][:64]
    try:
        if kind == "ballot":
            return Entry(position, entry_id, _ballot(rest))
        if kind == "rules":
            _, competition, rules = rest.split(" ")
            return Entry(position, entry_id, Rules.parse(int(competition), rules))
        if kind == "erase":
            return Entry(position, entry_id, Erasure(_number(rest.split(" ")[1])))
        raise ValueError(f"no such kind of entry: {kind[:20]!r}")
    except (ValueError, IndexError, OverflowError, OSError) as error:
        return Entry(position, entry_id, Unreadable(text, str(error)))


def _ballot(rest: str) -> Ballot:
    ballot_id, competition, voter, choice, cast_ms = rest.split(" ")
    ballot = Ballot(UUID(hex=ballot_id), _number(competition), _number(voter), choice, _datetime(int(cast_ms)))
    if not (len(choice) == 1 and "a" <= choice <= "z"):
        raise ValueError("the choice is not an option key")
    return ballot


def _number(text: str) -> int:
    number = int(text)
    if not is_id(number):
        raise ValueError("an id is out of range")
    return number


def _datetime(milliseconds: int) -> datetime:
    return datetime.fromtimestamp(milliseconds / 1000, UTC)


def _moment(milliseconds: str) -> datetime | None:
    return _datetime(int(milliseconds)) if milliseconds else None


def _milliseconds(moment: datetime | None) -> str:
    return "" if moment is None else str(round(moment.timestamp() * 1000))
