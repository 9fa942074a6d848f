"""Says on standard error what was just measured, so that nobody waits before a silent screen."""

import sys
import time
from collections.abc import Callable

Tell = Callable[[str, float], None]


class Progress:
    """One line per measurement, with the seconds since the start."""

    def __init__(self) -> None:
        self._began = time.monotonic()

    def __call__(self, what: str, per_second: float) -> None:
        """A figure."""
        self.note(f"{what:32}{per_second:>10,.0f} /s")

    def note(self, text: str) -> None:
        """Anything else."""
        print(f"{time.monotonic() - self._began:6.1f} s  {text}", file=sys.stderr, flush=True)
