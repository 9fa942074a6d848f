"""Counts against limits, for all processes together in the cache's Redis; while that is away, in each process alone.

A Redis that is stopped or frozen costs a request one short timeout at most, and then one request in a while. Counting alone,
each process allows its share, so that together they never allow more than twice a limit: once before, once after.
"""

import threading
import time
from collections.abc import Callable, Sequence
from importlib.resources import files

import structlog

from vote import redis_client
from vote.domain.installation import Installation
from vote.errors import TooManyRequests
from vote.metrics import LIMITED
from vote.services.best_effort_redis import BestEffortRedis
from vote.services.deferred_counter import DeferredCounter
from vote.services.rate_limits import MICROSECONDS, RateLimit

TIMEOUT_S = 0.5  # a healthy Redis answers in 1 ms; a busy process may need longer to read it
SUBJECTS_MAX = 50_000  # that one process counts alone: some 10 MB
PREFIX = "vote:limit"

logger = structlog.get_logger()


def script() -> str:
    """The text of `rate_limiter.lua`."""
    return (files("vote.services") / "rate_limiter.lua").read_text("utf-8")


def key_of(installation: str | None, limit: RateLimit, subject: str) -> str:
    """The bucket of a subject of an installation, such as `user:7` or a network."""
    return f"{PREFIX}:{installation}:{{{limit.name}}}:{subject}"


def refuse(limit: RateLimit, wait_us: float) -> TooManyRequests:
    """The error for somebody who has to wait, counted and told."""
    LIMITED.labels(limit.name).inc()
    return TooManyRequests(wait_us / MICROSECONDS)


class RateLimiter:
    """For code that waits. Safe in threads."""

    def __init__(self, url: str, installation: Installation, *, processes: int) -> None:
        """`processes` is how many count alone when Redis is away, or the installation not known."""
        self._installation = installation
        self._script = redis_client.connect(url, timeout_s=TIMEOUT_S).register_script(script())
        self._local = LocalRateLimiter(processes)
        self._best_effort = BestEffortRedis()
        self._firsts: dict[str, DeferredCounter] = {}

    def acquire(self, limit: RateLimit, subject: str, number: int = 1) -> None:
        """Count one, or more. Raises TooManyRequests, and counts nothing, when there is no room."""
        wait_us = self._consume(limit, subject, number)
        if wait_us > 0:
            logger.warning("limited", limit=limit.name)
            raise refuse(limit, wait_us)

    def acquire_after_first(self, limit: RateLimit, subject: str) -> None:
        """The same, but the first one in a while asks nobody and is counted with the second one (`first_in_span.py`)."""
        firsts = self._firsts.get(limit.name) or self._firsts.setdefault(limit.name, DeferredCounter(limit.span_s))
        number = firsts.cost(subject, time.monotonic())
        if number:
            self.acquire(limit, subject, number)

    def refund(self, limit: RateLimit, subject: str) -> None:
        """Take one out again: it was no failure."""
        self._consume(limit, subject, -1)

    def close(self) -> None:
        """Let the connections go."""
        self._script.registered_client.close()

    def _consume(self, limit: RateLimit, subject: str, cost: int) -> float:
        owner, waits = self._installation.id, None
        key = key_of(owner, limit, subject)
        if owner is not None:
            waits = self._best_effort.ask(lambda: self._script(keys=[key], args=[limit.interval_us, limit.burst, cost]))
        return self._local.consume(limit, [key], [cost])[0] if waits is None else float(waits[0])


class LocalRateLimiter:
    """The buckets of one process, by its own clock: the same rule as `rate_limiter.lua`."""

    def __init__(self, processes: int) -> None:
        self._processes = processes
        self._empty_at: dict[str, float] = {}  # oldest first
        self._lock = threading.Lock()

    def consume(self, limit: RateLimit, keys: Sequence[str], costs: Sequence[int]) -> list[float]:
        """Microseconds to wait for each key, 0 where they went in."""
        share = limit.shared_by(self._processes)
        now = time.monotonic() * MICROSECONDS
        with self._lock:
            return [self._consume(share, key, cost, now) for key, cost in zip(keys, costs, strict=True)]

    def _consume(self, share: RateLimit, key: str, cost: int, now: float) -> float:
        empty = max(now, self._empty_at.pop(key, now)) + share.interval_us * cost
        over = empty - now - share.interval_us * share.burst
        if cost > 0 and over > 0:
            empty -= share.interval_us * cost
        if empty > now:
            self._empty_at[key] = empty
        while len(self._empty_at) > SUBJECTS_MAX:
            del self._empty_at[next(iter(self._empty_at))]
        return max(0.0, over) if cost > 0 else 0.0


class TokenBuckets:
    """A token bucket per subject in this process alone, for code that cannot wait. The whole limit counts in each process.

    Each subject is one number: the moment (monotonic µs) when its bucket is full again (GCRA). Belongs to one event loop.
    """

    def __init__(self, limit: RateLimit, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._limit, self._clock = limit, clock
        self._capacity_us = limit.interval_us * limit.burst
        self._full_at: dict[str, float] = {}  # oldest first

    def consume(self, subject: str) -> None:
        """Take a token. Raises TooManyRequests, and takes none, when the bucket is empty."""
        now = self._clock() * MICROSECONDS
        full = max(now, self._full_at.pop(subject, now)) + self._limit.interval_us
        over = full - now - self._capacity_us
        self._full_at[subject] = full if over <= 0 else full - self._limit.interval_us
        if len(self._full_at) > SUBJECTS_MAX:
            del self._full_at[next(iter(self._full_at))]
        if over > 0:
            raise refuse(self._limit, over)
