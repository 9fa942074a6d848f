"""Spares most API requests a call to Redis: a subject that sends one request in a long while is far from any limit.

A process lets a subject's first request through and only remembers it; the second counts both, and each later one
counts itself. So per span a subject may get one request above the limit for each process beyond the first, and none
where every process has seen it twice. Pure: `now` is an argument.
"""

import threading


class DeferredCounter:
    """A counter that defers the first request per span. A span is the time in which a used-up limit refills.
    Thread-safe.
    """

    def __init__(self, span_s: float) -> None:
        self._span_s = span_s
        self._lock = threading.Lock()
        self._ends = 0.0
        self._now: dict[str, int] = {}  # subject -> requests let through and not counted yet
        self._before: dict[str, int] = {}  # the previous span's counts; older ones are dropped

    def cost(self, subject: str, now: float) -> int:
        """Return the cost of this request: 0 for the first, 2 for the second (with the first), then 1 each."""
        with self._lock:
            if now >= self._ends:
                self._turn(now)
            uncounted = self._now.get(subject, self._before.get(subject))
            self._now[subject] = 1 if uncounted is None else 0
            return 0 if uncounted is None else 1 + uncounted

    def _turn(self, now: float) -> None:
        self._before, self._now = self._now if now < self._ends + self._span_s else {}, {}
        self._ends = now + self._span_s
