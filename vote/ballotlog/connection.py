"""The only places where a client of the ballot log is made, for waiting code and for asyncio.

redis-py 8 sends a command again by itself after an error; a ballot sent twice that way could land behind a later one
(R3). Here every hidden retry is off: one call, one outcome, and an unknown outcome is treated as unknown.
"""

from typing import Any

import redis
import redis.asyncio
from redis.asyncio.retry import Retry as AsyncRetry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError
from redis.retry import Retry

CONNECT_TIMEOUT_S = 0.5  # a dead log costs a caller no more than this
ANSWER_TIMEOUT_S = 2.0  # longer than any call may take (see box.py for ballots)
BLOCK_MS = 500  # how long a reader waits in the log for news

LogError = (RedisError, OSError)

_SHARED: dict[str, Any] = {
    "decode_responses": True,
    "legacy_responses": True,
    "protocol": 2,
    "socket_connect_timeout": CONNECT_TIMEOUT_S,
    "client_name": "vote",
    "health_check_interval": 0,
}


def connect(url: str) -> redis.Redis:
    """A client for code that waits. It connects at its first use."""
    return redis.Redis.from_url(
        url,
        retry=Retry(NoBackoff(), 0),
        socket_timeout=ANSWER_TIMEOUT_S + BLOCK_MS / 1000,
        **_SHARED,
    )


def connect_async(url: str) -> redis.asyncio.Redis:
    """A client for asyncio. It connects at its first use; deadlines are the caller's."""
    return redis.asyncio.Redis.from_url(
        url,
        retry=AsyncRetry(NoBackoff(), 0),
        socket_timeout=ANSWER_TIMEOUT_S,
        **_SHARED,
    )
