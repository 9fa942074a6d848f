"""Counts against limits: for all processes together in the cache's Redis; while that is down, in each process alone.

A stopped or frozen Redis costs a request at most one short timeout, and then only one request in a while. When counting
alone, each process allows its share, so together they never allow more than twice a limit: once before and once after.
"""

import threading
import time
from collections.abc import Callable
from importlib.resources import files

import structlog

from vote import redis_client
from vote.domain.installation import Installation
from vote.errors import TooManyRequests
from vote.metrics.web import LIMITED
from vote.services.best_effort_redis import BestEffortRedis
from vote.services.deferred_counter import DeferredCounter
from vote.services.rate_limits import MICROSECONDS, RateLimit

TIMEOUT_S = 0.5  # a healthy Redis answers in 1 ms; a busy process may need longer to read it
SUBJECTS_MAX = 50_000  # that one process counts alone: some 10 MB
PREFIX = "vote:limit"

logger = structlog.get_logger()


def script() -> str:
    """Return the text of `rate_limiter.lua`."""
    return (files("vote.services") / "rate_limiter.lua").read_text("utf-8")


def key_of(installation: str | None, limit: RateLimit, subject: str) -> str:
    """Return the key of a subject's bucket in an installation; a subject is `user:7` or a network."""
    return f"{PREFIX}:{installation}:{{{limit.name}}}:{subject}"


def refuse(limit: RateLimit, wait_us: float) -> TooManyRequests:
    """Return the error for someone who has to wait, and count it."""
    LIMITED.labels(limit.name).inc()
    return TooManyRequests(wait_us / MICROSECONDS)


class RateLimiter:
    """A rate limiter shared by all processes, for blocking code. Thread-safe."""

    def __init__(self, url: str, installation: Installation, *, processes: int) -> None:
        """Create a limiter. `processes`: how many processes count alone while Redis is down or the installation
        unknown.
        """
        self._installation = installation
        self._script = redis_client.connect(url, timeout_s=TIMEOUT_S).register_script(script())
        self._processes = processes
        self._local = LocalRateLimiter()
        self._best_effort = BestEffortRedis()
        self._firsts: dict[str, DeferredCounter] = {}

    def acquire(self, limit: RateLimit, subject: str, number: int = 1) -> None:
        """Count one request, or more. Raises TooManyRequests, and counts nothing, at the limit."""
        wait_us = self._consume(limit, subject, number)
        if wait_us > 0:
            logger.warning("limited", limit=limit.name)
            raise refuse(limit, wait_us)

    def acquire_after_first(self, limit: RateLimit, subject: str) -> None:
        """Count one request, but defer the first in a while and count it with the second (`deferred_counter.py`)."""
        firsts = self._firsts.get(limit.name) or self._firsts.setdefault(limit.name, DeferredCounter(limit.span_s))
        number = firsts.cost(subject, time.monotonic())
        if number:
            self.acquire(limit, subject, number)

    def refund(self, limit: RateLimit, subject: str) -> None:
        """Take one request back: it was not a failure."""
        self._consume(limit, subject, -1)

    def close(self) -> None:
        """Close the connections."""
        self._script.registered_client.close()

    def _consume(self, limit: RateLimit, subject: str, cost: int) -> float:
        owner, wait_us = self._installation.id, None
        key = key_of(owner, limit, subject)
        if owner is not None:
            arguments = [limit.interval_us, limit.burst, cost]
            wait_us = self._best_effort.ask(lambda: self._script(keys=[key], args=arguments))
        if wait_us is None:
            return self._local.consume(limit.shared_by(self._processes), key, cost)
        return float(wait_us)


class LocalRateLimiter:
    """Token buckets of one process, by its own clock, with the rule of `rate_limiter.lua`. Thread-safe."""

    def __init__(self, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._empty_at: dict[str, float] = {}  # oldest first
        self._lock = threading.Lock()

    def acquire(self, limit: RateLimit, subject: str) -> None:
        """Count one request. Raises TooManyRequests, and counts nothing, at the limit."""
        wait_us = self.consume(limit, subject)
        if wait_us > 0:
            raise refuse(limit, wait_us)

    def consume(self, limit: RateLimit, key: str, cost: int = 1) -> float:
        """Count `cost` and return 0; at the limit, count nothing and return the microseconds to wait."""
        now = self._clock() * MICROSECONDS
        with self._lock:
            empty = max(now, self._empty_at.pop(key, now)) + limit.interval_us * cost
            over = empty - now - limit.interval_us * limit.burst
            if cost > 0 and over > 0:
                empty -= limit.interval_us * cost
            if empty > now:
                self._empty_at[key] = empty
            while len(self._empty_at) > SUBJECTS_MAX:
                del self._empty_at[next(iter(self._empty_at))]
        return max(0.0, over) if cost > 0 else 0.0
