"""Heartbeats that processes leave in the log for each other: a worker runs, a process reaches PostgreSQL.

They are in the log because nobody can vote without it anyway. The log's own clock measures their age: each key gets a
time to live, and the remaining time tells its age. No decision on a ballot depends on them.
"""

import contextlib
from collections.abc import Callable

from vote import redis_client
from vote.ballotlog import keys
from vote.domain.installation import Installation
from vote.errors import LogUnavailable

KEEP_TURN_MS = 24 * 3600 * 1000
# Shorter than the age at which a revocation list is no longer trusted (identity/revocations.py).
DATABASE_REACHED_MS = 3_000
TIMEOUT_S = 1.0


class Heartbeats:
    """A process's client for heartbeats. Thread-safe. Connects on first use."""

    def __init__(self, url: str, installation: Installation) -> None:
        self._redis = redis_client.connect(url, timeout_s=TIMEOUT_S)
        self._installation = installation

    def worker_has_turned(self) -> None:
        """Record that a worker has finished a turn, and so that PostgreSQL has answered. Ignores failures."""
        ours = self._installation.id
        if ours is None:
            return
        with contextlib.suppress(*redis_client.LogError):
            pipeline = self._redis.pipeline(transaction=False)
            pipeline.set(keys.worker_turn(ours), 1, px=KEEP_TURN_MS)
            pipeline.set(keys.database_reached(ours), 1, px=DATABASE_REACHED_MS)
            pipeline.execute()

    def seconds_since_turn(self) -> float | None:
        """Return the seconds since any worker finished a turn; None for never, or for a day ago. Raises LogUnavailable."""
        ttl_ms = self._ttl_ms(keys.worker_turn)
        return (KEEP_TURN_MS - ttl_ms) / 1000 if ttl_ms > 0 else None

    def database_was_reached(self) -> None:
        """Record that PostgreSQL has answered this process. Ignores failures."""
        ours = self._installation.id
        if ours is None:
            return
        with contextlib.suppress(*redis_client.LogError):
            self._redis.set(keys.database_reached(ours), 1, px=DATABASE_REACHED_MS)

    def is_database_reached(self) -> bool:
        """Return whether PostgreSQL answered any process within DATABASE_REACHED_MS. Raises LogUnavailable."""
        return self._ttl_ms(keys.database_reached) > 0

    def close(self) -> None:
        """Close the connections."""
        self._redis.close()

    def _ttl_ms(self, key: Callable[[str], str]) -> int:
        ours = self._installation.id
        if ours is None:
            raise LogUnavailable
        try:
            return int(self._redis.pttl(key(ours)))  # below 0: there is no such key
        except redis_client.LogError as error:
            raise LogUnavailable from error
