"""Estimates the log's clock well enough to set a deadline there and to know when it has certainly passed (R3)."""

import time

ROUNDING_MS = 2  # the log's clock comes in whole milliseconds


class LogClock:
    """The offset between the log's clock and this process's monotonic one, as an interval, from the newest answer.

    An answer requested at `began` and received at `ended` proves that the log's clock read `now_ms` somewhere in
    between.
    """

    def __init__(self) -> None:
        self._least_ms = self._most_ms = 0.0

    def learn(self, began: float, ended: float, now_ms: int) -> None:
        """Update the estimate from an answer's clock reading. `began` and `ended` are seconds of time.monotonic()."""
        self._least_ms = now_ms - ended * 1000
        self._most_ms = now_ms - began * 1000

    def deadline(self, budget_s: float) -> tuple[int, float]:
        """Return (deadline by the log's clock in ms, monotonic time in s after which it has certainly passed there)."""
        middle = (self._least_ms + self._most_ms) / 2
        deadline_ms = int((time.monotonic() + budget_s) * 1000 + middle)
        return deadline_ms, (deadline_ms - self._least_ms + ROUNDING_MS) / 1000
