"""What a process knows of the log's clock: enough to set a deadline there and to know when it has surely passed (R3)."""

import time

ROUNDING_MS = 2  # the log's clock is told in whole milliseconds


class LogClock:
    """The offset between the log's clock and this process's monotonic one, as an interval, from the newest answer.

    An answer asked at `began` and received at `ended` says that the log's clock stood at `now_ms` somewhere between.
    """

    def __init__(self) -> None:
        self._least_ms = self._most_ms = 0.0

    def learn(self, began: float, ended: float, now_ms: int) -> None:
        """Take in what an answer says; times are of time.monotonic(), in seconds."""
        self._least_ms = now_ms - ended * 1000
        self._most_ms = now_ms - began * 1000

    def deadline(self, budget_s: float) -> tuple[int, float]:
        """(deadline in the log's clock, monotonic second after which it has passed there for certain)."""
        middle = (self._least_ms + self._most_ms) / 2
        deadline_ms = int((time.monotonic() + budget_s) * 1000 + middle)
        return deadline_ms, (deadline_ms - self._least_ms + ROUNDING_MS) / 1000
