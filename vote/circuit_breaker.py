"""A circuit breaker: while a store is down, one caller at a time finds out; everybody else is told at once."""

import threading
import time
from collections.abc import Callable

PROBE_EVERY_S = 0.2  # so that a store that is back is used again within this and one connect


class CircuitBreaker:
    """Open after a failure. Then `may_try` lets one caller through every PROBE_EVERY_S, until one succeeds."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._is_open = False
        self._next_probe = 0.0

    @property
    def is_open(self) -> bool:
        """Whether the last thing heard was a failure."""
        return self._is_open

    def allows_call(self) -> bool:
        """Whether this caller may ask the store."""
        if not self._is_open:
            return True
        with self._lock:
            now = self._clock()
            if now < self._next_probe:
                return False
            self._next_probe = now + PROBE_EVERY_S
            return True

    def failed(self) -> None:
        """The store did not answer."""
        with self._lock:
            self._is_open = True
            self._next_probe = self._clock() + PROBE_EVERY_S

    def succeeded(self) -> None:
        """The store answered."""
        self._is_open = False
