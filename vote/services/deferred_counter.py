"""Spares nearly everybody a question: who asks once in a long while is far from any limit.

The first request of a subject in this process is let through and only remembered; the second one counts both, and from
then on each counts itself. So for each process beside the first, a subject may get through one request more than a limit
says, in a span; none more where every process has seen it twice. Pure: `now` is an argument.
"""

import threading


class DeferredCounter:
    """What one process remembers. A span is as long as a used-up limit takes to fill again. Safe between threads."""

    def __init__(self, span_s: float) -> None:
        self._span_s = span_s
        self._lock = threading.Lock()
        self._ends = 0.0
        self._now: dict[str, int] = {}  # subject -> requests let through and not counted yet
        self._before: dict[str, int] = {}  # the same of the span before; what is older is forgotten

    def cost(self, subject: str, now: float) -> int:
        """How many to count for this request: none for the first, two for the second (with the first), then one each."""
        with self._lock:
            if now >= self._ends:
                self._turn(now)
            uncounted = self._now.get(subject, self._before.get(subject))
            self._now[subject] = 1 if uncounted is None else 0
            return 0 if uncounted is None else 1 + uncounted

    def _turn(self, now: float) -> None:
        self._before, self._now = self._now if now < self._ends + self._span_s else {}, {}
        self._ends = now + self._span_s
