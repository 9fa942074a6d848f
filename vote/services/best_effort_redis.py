"""Call a Redis that everything can do without for a while: cache and rate limits, never votes.

Each call has a deadline and a circuit breaker. While Redis is away, one caller at a time probes it, and all others get None
at once. The caller decides what to do without an answer.
"""

from collections.abc import Callable
from typing import TypeVar

from vote import redis_client
from vote.circuit_breaker import CircuitBreaker

T = TypeVar("T")


class BestEffortRedis:
    """A circuit breaker around one use of Redis. Thread-safe; never raises because of Redis."""

    def __init__(self) -> None:
        self._breaker = CircuitBreaker()

    def ask(self, call: Callable[[], T]) -> T | None:
        """Return what `call` returns, or None without an answer. Its client's timeout is the deadline."""
        if not self._breaker.allows_call():
            return None
        try:
            answer = call()
        except (*redis_client.LogError, TimeoutError):
            self._breaker.failed()
            return None
        self._breaker.succeeded()
        return answer
