"""Signs of life that processes leave in the log, for each other: that a worker works, that somebody reaches PostgreSQL.

They live in the log because that is the one store without which nobody votes anyway. Ages are measured by the log's own
clock: a key is given a time to live, and what is left of it says how old it is. Nothing is decided on a ballot by them.
"""

import contextlib
from collections.abc import Callable

from vote import redis_client
from vote.ballotlog import keys
from vote.domain.installation import Installation
from vote.errors import LogUnavailable

KEEP_TURN_MS = 24 * 3600 * 1000
DATABASE_REACHED_MS = (
    3_000  # shorter than the age at which a list of log-outs is no longer trusted (identity/revocations.py)
)
TIMEOUT_S = 1.0


class Heartbeats:
    """One process's client for them. Safe in threads. Connects at its first use."""

    def __init__(self, url: str, installation: Installation) -> None:
        self._redis = redis_client.connect(url, timeout_s=TIMEOUT_S)
        self._installation = installation

    def worker_has_turned(self) -> None:
        """Note that a worker has done something, and so has an answer of PostgreSQL too.

        That a sign cannot be left harms nobody.
        """
        ours = self._installation.id
        if ours is None:
            return
        with contextlib.suppress(*redis_client.LogError):
            pipeline = self._redis.pipeline(transaction=False)
            pipeline.set(keys.worker_turn(ours), 1, px=KEEP_TURN_MS)
            pipeline.set(keys.database_reached(ours), 1, px=DATABASE_REACHED_MS)
            pipeline.execute()

    def seconds_since_turn(self) -> float | None:
        """Seconds since any worker has done a turn; None when it was never, or a day ago. Raises LogUnavailable."""
        left = self._ask_left(keys.worker_turn)
        return (KEEP_TURN_MS - left) / 1000 if left > 0 else None

    def database_was_reached(self) -> None:
        """Note that this process has an answer of PostgreSQL."""
        ours = self._installation.id
        if ours is None:
            return
        with contextlib.suppress(*redis_client.LogError):
            self._redis.set(keys.database_reached(ours), 1, px=DATABASE_REACHED_MS)

    def is_database_reached(self) -> bool:
        """Whether any process had an answer of PostgreSQL in the last DATABASE_REACHED_MS. Raises LogUnavailable."""
        return self._ask_left(keys.database_reached) > 0

    def close(self) -> None:
        """Let the connections go."""
        self._redis.close()

    def _ask_left(self, key: Callable[[str], str]) -> int:
        ours = self._installation.id
        if ours is None:
            raise LogUnavailable
        try:
            return int(self._redis.pttl(key(ours)))  # below 0: there is no such key
        except redis_client.LogError as error:
            raise LogUnavailable from error
