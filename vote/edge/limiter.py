"""Counts against limits, for all processes together in the cache's Redis; while that is away, in each process alone.

A Redis that is stopped or frozen costs a request one short timeout at most, and then nobody for a while. Counting alone,
each process allows its share, so that together they never allow more than twice a limit: once before, once after.
"""

import threading
import time
from collections.abc import Sequence
from importlib.resources import files

import structlog

from vote.ballotlog import connection
from vote.edge.limits import MICROSECONDS, Limit
from vote.errors import TooManyRequests
from vote.metrics import LIMITED

TIMEOUT_S = 0.5  # a healthy Redis answers in 1 ms; a busy process may need longer to read it
ASK_AGAIN_S = 1.0  # after a failure; until then every process counts alone
SUBJECTS_MAX = 50_000  # that one process counts alone: some 10 MB
PREFIX = "vote:limit"

log = structlog.get_logger()


def script() -> str:
    """The text of `limits.lua`."""
    return (files("vote.edge") / "limits.lua").read_text("utf-8")


def key_of(limit: Limit, subject: str) -> str:
    """The bucket of a subject, such as `user:7` or a network."""
    return f"{PREFIX}:{{{limit.name}}}:{subject}"


def refuse(limit: Limit, wait_us: float) -> TooManyRequests:
    """The error for somebody who has to wait, counted and told."""
    LIMITED.labels(limit.name).inc()
    return TooManyRequests(wait_us / MICROSECONDS)


class Limiter:
    """For code that waits. Safe in threads."""

    def __init__(self, url: str, *, processes: int) -> None:
        """`processes` is how many count alone when Redis is away."""
        self._script = connection.connect(url, timeout_s=TIMEOUT_S).register_script(script())
        self._alone = Alone(processes)
        self._ask_at = 0.0

    def take(self, limit: Limit, subject: str) -> None:
        """Count one. Raises TooManyRequests, and counts nothing, when there is no room."""
        wait_us = self._put(limit, subject, 1)
        if wait_us > 0:
            log.warning("limited", limit=limit.name)
            raise refuse(limit, wait_us)

    def give_back(self, limit: Limit, subject: str) -> None:
        """Take one out again: it was no failure."""
        self._put(limit, subject, -1)

    def close(self) -> None:
        """Let the connections go."""
        self._script.registered_client.close()

    def _put(self, limit: Limit, subject: str, cost: int) -> float:
        key = key_of(limit, subject)
        if time.monotonic() >= self._ask_at:
            try:
                return float(self._script(keys=[key], args=[limit.interval_us, limit.burst, cost])[0])
            except connection.LogError:
                self._ask_at = time.monotonic() + ASK_AGAIN_S
        return self._alone.put(limit, [key], cost)[0]


class Alone:
    """The buckets of one process, by its own clock: the same rule as `limits.lua`."""

    def __init__(self, processes: int) -> None:
        self._processes = processes
        self._empty_at: dict[str, float] = {}  # oldest first
        self._lock = threading.Lock()

    def put(self, limit: Limit, keys: Sequence[str], cost: int) -> list[float]:
        """Microseconds to wait for each key, 0 where they went in."""
        share = limit.shared_by(self._processes)
        now = time.monotonic() * MICROSECONDS
        with self._lock:
            return [self._put(share, key, cost, now) for key in keys]

    def _put(self, share: Limit, key: str, cost: int, now: float) -> float:
        empty = max(now, self._empty_at.pop(key, now)) + share.interval_us * cost
        over = empty - now - share.interval_us * share.burst
        if cost > 0 and over > 0:
            empty -= share.interval_us * cost
        if empty > now:
            self._empty_at[key] = empty
        while len(self._empty_at) > SUBJECTS_MAX:
            del self._empty_at[next(iter(self._empty_at))]
        return max(0.0, over) if cost > 0 else 0.0
