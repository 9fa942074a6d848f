"""Call a Redis that everything can do without for a while: cache and rate limits, never votes.

Each call has a deadline and a circuit breaker. While Redis is away, one caller at a time probes it, and all others get None
at once. The caller decides what to do without an answer.
"""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Iterator
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
        if self._breaker.allows_call():
            with self._record_outcome():
                return call()
        return None

    async def ask_within(self, seconds: float, call: Callable[[], Awaitable[T]]) -> T | None:
        """Return what `call` returns within `seconds`, or None. For asyncio clients, whose callers set the deadline."""
        if self._breaker.allows_call():
            with self._record_outcome():
                async with asyncio.timeout(seconds):
                    return await call()
        return None

    @contextlib.contextmanager
    def _record_outcome(self) -> Iterator[None]:
        try:
            yield
        except (*redis_client.LogError, TimeoutError):
            self._breaker.failed()
        else:
            self._breaker.succeeded()
