"""Collect the findings of a verification: each names a row and its problem."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import NamedTuple

MAX_KEPT = 1_000  # the rest is only counted: a rewritten journal has as many findings as rows

OnProgress = Callable[[int], None]


class Finding(NamedTuple):
    """A row and its problem. `book`: journal, audit log, checkpoints, votes, tallies or people."""

    book: str
    row: str
    problem: str


@dataclass(slots=True)
class Findings:
    """The findings of a verification: the first MAX_KEPT in full, and the total count."""

    kept: list[Finding] = field(default_factory=list)
    count: int = 0

    def add(self, book: str, row: str, problem: str) -> None:
        """Record a finding."""
        self.count += 1
        if len(self.kept) < MAX_KEPT:
            self.kept.append(Finding(book, row, problem))
