"""A competition: a question, its options, its state, and which states may follow which."""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

State = Literal["draft", "scheduled", "open", "closing", "closed", "archived"]
Visibility = Literal["live", "after_vote", "after_close"]

OPTION_KEYS = "abcdefghijklmnopqrstuvwxyz"
MIN_OPTIONS = 2
MAX_OPTIONS = len(OPTION_KEYS)

MAY_BECOME: dict[State, frozenset[State]] = {
    "draft": frozenset({"scheduled", "open"}),
    "scheduled": frozenset({"draft", "open"}),
    "open": frozenset({"closing"}),
    "closing": frozenset({"closed", "open"}),
    "closed": frozenset({"open", "archived"}),
    "archived": frozenset(),
}
FINAL_STATES: frozenset[State] = frozenset({"closed", "archived"})


@dataclass(frozen=True, slots=True)
class Option:
    """A possible answer. `key` is `a`, `b`, … in the organiser's order."""

    key: str
    label: str
    description: str = ""


@dataclass(frozen=True, slots=True)
class Correction:
    """Words corrected while people voted. `field` is `name`, `description` or `option_a`, …; `by` is an account's id."""

    at: datetime
    by: int | None
    field: str
    before: str
    after: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Competition:
    """A competition as PostgreSQL holds it. Times are aware, in UTC.

    `rules_version` grows with every change the ballot log must know (R7), `revision` with every change (ETag).
    `previous_final_at` is when the result became final that the reopening at `reopened_at` took back. While `held_until`
    is set the log takes no ballots (`actions/competition_holds.py`).
    """

    id: int
    name: str
    description: str
    state: State
    options: tuple[Option, ...]
    opens_at: datetime | None
    closes_at: datetime | None
    allow_change: bool
    results_visibility: Visibility
    receipt_key: bytes
    rules_version: int
    revision: int
    organiser_id: int | None
    created_at: datetime
    opened_at: datetime | None
    closed_at: datetime | None
    reopened_at: datetime | None = None
    previous_final_at: datetime | None = None
    held_until: datetime | None = None
    corrections: tuple[Correction, ...] = ()

    @property
    def etag(self) -> str:
        """Return the strong entity tag of this revision (RFC 9110 §8.8.3)."""
        return f'"{self.id}-{self.revision}"'

    @property
    def is_final(self) -> bool:
        """Return whether the tally is final: voting is closed and every accepted ballot recorded."""
        return self.state in FINAL_STATES

    def label_of(self, key: str) -> str:
        """Return the label of an option key, or the key itself when there is no such option."""
        return next((option.label for option in self.options if option.key == key), key)


def state_to_begin_with(*, opens_at: datetime | None, now: datetime) -> State:
    """Return `scheduled` when `opens_at` lies ahead, otherwise `open`."""
    return "open" if opens_at is None or opens_at <= now else "scheduled"


def next_version(previous: int, now: datetime) -> int:
    """Return a rules version that was never used, not even before a restore took PostgreSQL back in time (R7)."""
    return max(previous + 1, int(now.timestamp() * 1000))


def keyed_options(labels: list[str]) -> tuple[Option, ...]:
    """Return options `a`, `b`, … for these labels, in order."""
    return tuple(Option(key, label) for key, label in zip(OPTION_KEYS, labels, strict=False))
