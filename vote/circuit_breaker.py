"""A circuit breaker: while a store is down, one caller at a time probes it, and all others fail fast."""

import threading
import time
from collections.abc import Callable

PROBE_EVERY_S = 0.2  # a store that is back is used again after at most this and one connect


class CircuitBreaker:
    """A thread-safe circuit breaker. Open after a failure; then `allows_call` lets one caller through every PROBE_EVERY_S,
    until one succeeds.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._is_open = False
        self._next_probe = 0.0

    @property
    def is_open(self) -> bool:
        """Return whether the last call failed."""
        return self._is_open

    def allows_call(self) -> bool:
        """Return whether this caller may call the store."""
        if not self._is_open:
            return True
        with self._lock:
            now = self._clock()
            if now < self._next_probe:
                return False
            self._next_probe = now + PROBE_EVERY_S
            return True

    def failed(self) -> None:
        """Record that the store did not answer; opens the breaker."""
        with self._lock:
            self._is_open = True
            self._next_probe = self._clock() + PROBE_EVERY_S

    def succeeded(self) -> None:
        """Record that the store answered; closes the breaker."""
        self._is_open = False
