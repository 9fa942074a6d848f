"""A tally: the counts per option that people see. It comes from PostgreSQL only, and its version only grows."""

from dataclasses import dataclass
from typing import TypedDict

from vote.domain.competition import State


class Snapshot(TypedDict):
    """A tally as pages, API and sockets send it."""

    competition: int
    version: int
    state: State
    total: int
    options: dict[str, int]


@dataclass(frozen=True, slots=True)
class Tally:
    """The counts of one competition. Every option is present, zero included."""

    competition: int
    version: int
    state: State
    counts: dict[str, int]

    @property
    def total(self) -> int:
        """Return the number of votes counted."""
        return sum(self.counts.values())

    @property
    def leaders(self) -> tuple[str, ...]:
        """Return the keys of the leading options: several for a tie, none when nobody has voted."""
        best = max(self.counts.values(), default=0)
        return tuple(key for key, votes in self.counts.items() if votes == best and best > 0)

    def snapshot(self) -> Snapshot:
        """Return the snapshot to send."""
        return Snapshot(
            competition=self.competition,
            version=self.version,
            state=self.state,
            total=self.total,
            options=dict(self.counts),
        )
