"""The only places where a client of the ballot log is made, for waiting code and for asyncio.

redis-py 8 sends a command again by itself after an error; a ballot sent twice that way could land behind a later one
(R3). Here every hidden retry is off: one call, one outcome, and an unknown outcome is treated as unknown.

TLS is the URL's business: `rediss://host:6379/0?ssl_ca_certs=/path/ca.pem` (a mounted file), with redis-py's own names
for all else (`ssl_certfile` and `ssl_keyfile` for a certificate of ours). The server's certificate and its host name
are checked. `rediss+sentinel://` is the same for Sentinels and servers alike: one CA signs them all.
"""

from typing import Any
from urllib.parse import urlsplit

import redis
import redis.asyncio
from redis.asyncio.retry import Retry as AsyncRetry
from redis.asyncio.sentinel import Sentinel as AsyncSentinel
from redis.backoff import NoBackoff
from redis.connection import parse_url
from redis.exceptions import RedisError
from redis.retry import Retry
from redis.sentinel import Sentinel

from vote import tcp_keepalive

CONNECT_TIMEOUT_S = 0.5  # a dead log costs a caller no more than this
ANSWER_TIMEOUT_S = 2.0  # longer than any call may take (see box.py for ballots)
BLOCK_MS = 500  # how long a reader waits in the log for news

LogError = (RedisError, OSError)
SENTINEL_SCHEMES = ("redis+sentinel", "rediss+sentinel")

_KEEPALIVE: dict[str, Any] = {"socket_keepalive": True, "socket_keepalive_options": tcp_keepalive.for_socket()}
_SHARED: dict[str, Any] = {
    "decode_responses": True,
    "legacy_responses": True,
    "protocol": 2,
    "socket_connect_timeout": CONNECT_TIMEOUT_S,
    "client_name": "vote",
    "health_check_interval": 0,
}
_ASKING: dict[str, Any] = {
    "socket_connect_timeout": CONNECT_TIMEOUT_S,
    "socket_timeout": CONNECT_TIMEOUT_S,
    **_KEEPALIVE,
}


def connect(url: str, *, timeout_s: float | None = None) -> redis.Redis:
    """A client for code that waits. It connects at its first use. `timeout_s`: for who would rather do without."""
    how = {
        **_SHARED,
        "retry": Retry(NoBackoff(), 0),
        "socket_connect_timeout": timeout_s or CONNECT_TIMEOUT_S,
        "socket_timeout": timeout_s or ANSWER_TIMEOUT_S + BLOCK_MS / 1000,
    }
    if is_replicated(url):
        watchers, service, tls = _sentinels(url)
        asking = {**_ASKING, **tls, "retry": how["retry"]}  # else one that refuses is asked ten times, for seconds
        client: redis.Redis = Sentinel(watchers, sentinel_kwargs=asking, **how, **_KEEPALIVE, **tls).master_for(service)
        return client
    return redis.Redis.from_url(url, **how, **_keepalive_of(url))


def connect_async(url: str) -> redis.asyncio.Redis:
    """A client for asyncio. It connects at its first use; deadlines are the caller's."""
    how = {**_SHARED, "retry": AsyncRetry(NoBackoff(), 0), "socket_timeout": ANSWER_TIMEOUT_S}
    if is_replicated(url):
        watchers, service, tls = _sentinels(url)
        asking = {**_ASKING, **tls, "retry": how["retry"]}
        sentinel = AsyncSentinel(watchers, sentinel_kwargs=asking, **how, **_KEEPALIVE, **tls)
        client: redis.asyncio.Redis = sentinel.master_for(service)
        return client
    return redis.asyncio.Redis.from_url(url, **how, **_keepalive_of(url))


def is_replicated(url: str) -> bool:
    """Whether another server may take this one's place: `redis+sentinel://host:port,host:port/service`."""
    return urlsplit(url).scheme in SENTINEL_SCHEMES


def _keepalive_of(url: str) -> dict[str, Any]:
    """What a unix socket has no use for, and redis-py takes for TCP only."""
    return {} if urlsplit(url).scheme == "unix" else _KEEPALIVE


def _sentinels(url: str) -> tuple[list[tuple[str, int]], str, dict[str, Any]]:
    """Where the Sentinels are, what they watch, and how TLS is spoken with them and with what they watch."""
    parts = urlsplit(url)
    addresses = [address.rpartition(":") for address in parts.netloc.split(",")]
    watchers = [(host, int(port)) for host, _, port in addresses]
    if not parts.scheme.startswith("rediss"):
        return watchers, parts.path.strip("/"), {}
    options = parse_url(f"rediss://?{parts.query}")  # redis-py's own reading of names and values
    tls = {name: value for name, value in options.items() if name.startswith("ssl_")}
    return watchers, parts.path.strip("/"), {"ssl": True, **tls}
