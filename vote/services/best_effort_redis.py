"""Asking a Redis that everybody can do without for a while: the cache and the limits, and nothing that is voted with.

Each call has a deadline and a breaker before it. While Redis is away one caller at a time finds out whether it is back, and
everybody else is told at once that there is no answer. What is done without one is the caller's.
"""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Iterator
from typing import TypeVar

from vote import redis_client
from vote.circuit_breaker import CircuitBreaker

T = TypeVar("T")


class BestEffortRedis:
    """One such Redis, as one part of a process sees it. Safe in threads; raises nothing because of Redis."""

    def __init__(self) -> None:
        self._breaker = CircuitBreaker()

    @property
    def is_away(self) -> bool:
        """Whether the last call had no answer."""
        return self._breaker.is_open

    def ask(self, call: Callable[[], T]) -> T | None:
        """What `call` answers, by a client whose own timeout is the deadline; None without an answer."""
        if self._breaker.allows_call():
            with self._heard():
                return call()
        return None

    async def ask_within(self, seconds: float, call: Callable[[], Awaitable[T]]) -> T | None:
        """The same for asyncio, whose clients leave the deadline to the caller."""
        if self._breaker.allows_call():
            with self._heard():
                async with asyncio.timeout(seconds):
                    return await call()
        return None

    @contextlib.contextmanager
    def _heard(self) -> Iterator[None]:
        try:
            yield
        except (*redis_client.LogError, TimeoutError):
            self._breaker.failed()
        else:
            self._breaker.succeeded()
