"""What a verification found: each finding names the row and says what is wrong with it."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import NamedTuple

MAX_KEPT = 1_000  # the rest is counted: a book that was made anew has as many findings as rows

OnProgress = Callable[[int], None]


class Finding(NamedTuple):
    """One row, and what is wrong. `book`: journal, audit log, checkpoints, votes, tallies or people."""

    book: str
    row: str
    problem: str


@dataclass(slots=True)
class Findings:
    """All findings, the first ones in words."""

    kept: list[Finding] = field(default_factory=list)
    count: int = 0

    def add(self, book: str, row: str, problem: str) -> None:
        """Note one."""
        self.count += 1
        if len(self.kept) < MAX_KEPT:
            self.kept.append(Finding(book, row, problem))
