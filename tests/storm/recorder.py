"""Every attempt and its outcome, on disk before the next one of the same voter begins: the storm may die, the facts stay."""

import json
import os
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Literal, NamedTuple

Outcome = Literal["ok", "fail", "info"]
SYNC_EVERY = 200  # attempts between two fsyncs: a crash of the storm itself loses no more


class Attempt(NamedTuple):
    """One press of the button and what came of it. `number` counts a voter's attempts in a competition; `began` is by
    time.monotonic()."""

    competition: int
    voter: int
    number: int
    choice: str
    status: int
    outcome: Outcome
    began: float
    seconds: float

    @property
    def ended(self) -> float:
        """When it was answered."""
        return self.began + self.seconds


class Recorder:
    """Appends attempts to a file."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file = path.open("a", encoding="utf-8")
        self._lock = threading.Lock()
        self.count = 0

    def write(self, attempt: Attempt) -> None:
        """Keep one attempt."""
        with self._lock:
            self._file.write(json.dumps(attempt) + "\n")
            self.count += 1
            if self.count % SYNC_EVERY == 0:
                self.sync()

    def sync(self) -> None:
        """Everything so far is on disk."""
        self._file.flush()
        os.fsync(self._file.fileno())

    def read(self) -> Iterator[Attempt]:
        """All attempts, in the order they ended."""
        self.sync()
        with self._path.open(encoding="utf-8") as lines:
            for line in lines:
                yield Attempt(*json.loads(line))

    def close(self) -> None:
        """No more attempts."""
        self.sync()
        self._file.close()
