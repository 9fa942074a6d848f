"""A tally: counts per option as shown to people. It comes from PostgreSQL only, and its version only grows."""

from dataclasses import dataclass
from typing import TypedDict

from vote.domain.competition import State


class Snapshot(TypedDict):
    """What pages, API and sockets send."""

    competition: int
    version: int
    state: State
    total: int
    options: dict[str, int]


@dataclass(frozen=True, slots=True)
class Tally:
    """Counts of one competition. Every option is present, zero included."""

    competition: int
    version: int
    state: State
    counts: dict[str, int]

    @property
    def total(self) -> int:
        """Votes counted."""
        return sum(self.counts.values())

    @property
    def leaders(self) -> tuple[str, ...]:
        """Keys of the options in front; more than one is a tie, none when nobody has voted."""
        best = max(self.counts.values(), default=0)
        return tuple(key for key, votes in self.counts.items() if votes == best and best > 0)

    def snapshot(self) -> Snapshot:
        """The snapshot that is sent."""
        return Snapshot(
            competition=self.competition,
            version=self.version,
            state=self.state,
            total=self.total,
            options=dict(self.counts),
        )
