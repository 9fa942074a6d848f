"""What there is to know about a run: ballots sent and answered, a shard of the log, all that PostgreSQL says. No rules."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal, NamedTuple

from vote.ballotlog.entries import Entry, Rules

Key = tuple[int, int]  # competition, voter
At = tuple[int, int]  # number of the epoch, position
Answer = Literal["ack", "refused", "503", "info"]  # info: no answer at all


class Cast(NamedTuple):
    """A ballot that was sent: the voter's n-th."""

    key: Key
    n: int
    choice: str


class Told(NamedTuple):
    """What a voter was told of a ballot; `basis` is the id of the stored ballot that an acknowledgement rests on."""

    choice: str
    answer: Answer
    basis: str | None
    receipt: object


class Line(NamedTuple):
    """One row of the journal."""

    shard: int
    seq: int
    key: Key
    choice: str
    receipt: str


class Status(NamedTuple):
    """One competition in PostgreSQL."""

    state: str
    version: int
    allow_change: bool
    opened_at: datetime | None
    closed_at: datetime | None


class Gap(NamedTuple):
    """One row of log_gaps."""

    shard: int
    old_epoch: str
    old_position: int
    new_epoch: str
    noticed_at: datetime
    is_decided: bool


class Books(NamedTuple):
    """All that PostgreSQL says."""

    journal: dict[str, Line]
    votes: dict[Key, str]
    tallies: dict[int, dict[str, int]]
    positions: dict[int, tuple[str, int]]
    recorded: int
    competitions: dict[int, Status]
    gaps: list[Gap]
    unmatched: dict[str, int]
    decisions: dict[int, set[datetime]]
    markers: dict[int, dict[int, int]]
    users: set[int]
    erased: set[int]

    def counted(self) -> dict[Key, str]:
        """The ballot of each voter that the competition's rule names: the first or the last of the journal."""
        named: dict[Key, str] = {}
        for ballot, line in sorted(self.journal.items(), key=lambda item: (item[1].shard, item[1].seq)):
            if line.key not in named or self.competitions[line.key[0]].allow_change:
                named[line.key] = ballot
        return named


@dataclass
class Shard:
    """One shard of the log, as it must be."""

    epochs: list[str] = field(default_factory=list)
    entries: dict[int, Entry] = field(default_factory=dict)
    rules: dict[int, Rules] = field(default_factory=dict)
    stored: dict[Key, str] = field(default_factory=dict)
    before: dict[str, str | Rules | None] = field(default_factory=dict)  # what an entry took the place of
    ready: bool = False
    hurt: bool = True  # it lost something, or may have: a new epoch may begin
    promoted: bool = False  # another server took its place, and nobody had waited for that one: a new epoch must begin
    rolled_back: bool = False  # it lost what was recorded: a new epoch must begin
    behind: bool = False  # it lost what PostgreSQL knows to be acknowledged: a new epoch must begin

    @property
    def last(self) -> int:
        return max(self.entries, default=0)

    def at(self, position: int) -> At:
        return len(self.epochs), position
