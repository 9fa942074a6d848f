"""The only places where a client of the ballot log is made, for waiting code and for asyncio.

redis-py 8 sends a command again by itself after an error; a ballot sent twice that way could land behind a later one
(R3). Here every hidden retry is off: one call, one outcome, and an unknown outcome is treated as unknown.
"""

from typing import Any
from urllib.parse import urlsplit

import redis
import redis.asyncio
from redis.asyncio.retry import Retry as AsyncRetry
from redis.asyncio.sentinel import Sentinel as AsyncSentinel
from redis.backoff import NoBackoff
from redis.exceptions import RedisError
from redis.retry import Retry
from redis.sentinel import Sentinel

CONNECT_TIMEOUT_S = 0.5  # a dead log costs a caller no more than this
ANSWER_TIMEOUT_S = 2.0  # longer than any call may take (see box.py for ballots)
BLOCK_MS = 500  # how long a reader waits in the log for news

LogError = (RedisError, OSError)
SENTINEL_SCHEME = "redis+sentinel"

_SHARED: dict[str, Any] = {
    "decode_responses": True,
    "legacy_responses": True,
    "protocol": 2,
    "socket_connect_timeout": CONNECT_TIMEOUT_S,
    "client_name": "vote",
    "health_check_interval": 0,
}
_ASKING: dict[str, Any] = {"socket_connect_timeout": CONNECT_TIMEOUT_S, "socket_timeout": CONNECT_TIMEOUT_S}


def connect(url: str) -> redis.Redis:
    """A client for code that waits. It connects at its first use."""
    how = {
        **_SHARED,
        "retry": Retry(NoBackoff(), 0),
        "socket_timeout": ANSWER_TIMEOUT_S + BLOCK_MS / 1000,
    }
    if is_replicated(url):
        watchers, service = _sentinels(url)
        client: redis.Redis = Sentinel(watchers, sentinel_kwargs=_ASKING, **how).master_for(service)
        return client
    return redis.Redis.from_url(url, **how)


def connect_async(url: str) -> redis.asyncio.Redis:
    """A client for asyncio. It connects at its first use; deadlines are the caller's."""
    how = {**_SHARED, "retry": AsyncRetry(NoBackoff(), 0), "socket_timeout": ANSWER_TIMEOUT_S}
    if is_replicated(url):
        watchers, service = _sentinels(url)
        client: redis.asyncio.Redis = AsyncSentinel(watchers, sentinel_kwargs=_ASKING, **how).master_for(service)
        return client
    return redis.asyncio.Redis.from_url(url, **how)


def is_replicated(url: str) -> bool:
    """Whether another server may take this one's place: `redis+sentinel://host:port,host:port/service`."""
    return urlsplit(url).scheme == SENTINEL_SCHEME


def _sentinels(url: str) -> tuple[list[tuple[str, int]], str]:
    parts = urlsplit(url)
    addresses = [address.rpartition(":") for address in parts.netloc.split(",")]
    return [(host, int(port)) for host, _, port in addresses], parts.path.strip("/")
