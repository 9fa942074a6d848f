"""Create Redis clients, for blocking code and for asyncio; clients of the ballot log are created only here.

redis-py 8 retries commands after an error; a ballot sent twice that way could overtake a later one (R3). All hidden retries
are off here: one call has one outcome, and an unknown outcome is treated as unknown.

The URL configures TLS: `rediss://host:6379/0?ssl_ca_certs=/path/ca.pem` (a mounted file), with redis-py's names for the rest
(`ssl_certfile` and `ssl_keyfile` for a client certificate). The server's certificate and host name are checked.
`rediss+sentinel://` applies to Sentinels and servers alike: one CA signs them all.
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

CONNECT_TIMEOUT_S = 0.5  # the most that a dead log costs a caller
ANSWER_TIMEOUT_S = 2.0  # longer than any call may take (see ballot_box.py for ballots)
BLOCK_MS = 500  # how long a blocking read waits for new entries

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
_SENTINEL_OPTIONS: dict[str, Any] = {
    "socket_connect_timeout": CONNECT_TIMEOUT_S,
    "socket_timeout": CONNECT_TIMEOUT_S,
    **_KEEPALIVE,
}


def connect(url: str, *, timeout_s: float | None = None) -> redis.Redis:
    """Return a blocking client, which connects on first use. `timeout_s`: a shorter deadline, for callers that can do
    without.
    """
    options = {
        **_SHARED,
        "retry": Retry(NoBackoff(), 0),
        "socket_connect_timeout": timeout_s or CONNECT_TIMEOUT_S,
        "socket_timeout": timeout_s or ANSWER_TIMEOUT_S + BLOCK_MS / 1000,
    }
    if is_replicated(url):
        watchers, service, tls = _sentinels(url)
        # The default would retry a Sentinel that refuses ten times, for seconds.
        sentinel_options = {**_SENTINEL_OPTIONS, **tls, "retry": options["retry"]}
        client: redis.Redis = Sentinel(
            watchers, sentinel_kwargs=sentinel_options, **options, **_KEEPALIVE, **tls
        ).master_for(service)
        return client
    return redis.Redis.from_url(url, **options, **_keepalive_of(url))


def connect_async(url: str) -> redis.asyncio.Redis:
    """Return a client for asyncio, which connects on first use. Callers set the deadlines."""
    options = {**_SHARED, "retry": AsyncRetry(NoBackoff(), 0), "socket_timeout": ANSWER_TIMEOUT_S}
    if is_replicated(url):
        watchers, service, tls = _sentinels(url)
        sentinel_options = {**_SENTINEL_OPTIONS, **tls, "retry": options["retry"]}
        sentinel = AsyncSentinel(watchers, sentinel_kwargs=sentinel_options, **options, **_KEEPALIVE, **tls)
        client: redis.asyncio.Redis = sentinel.master_for(service)
        return client
    return redis.asyncio.Redis.from_url(url, **options, **_keepalive_of(url))


def is_replicated(url: str) -> bool:
    """Return whether another server may take over: `redis+sentinel://host:port,host:port/service`."""
    return urlsplit(url).scheme in SENTINEL_SCHEMES


def _keepalive_of(url: str) -> dict[str, Any]:
    """Return the keepalive options; redis-py accepts them only for TCP, not for unix sockets."""
    return {} if urlsplit(url).scheme == "unix" else _KEEPALIVE


def _sentinels(url: str) -> tuple[list[tuple[str, int]], str, dict[str, Any]]:
    """Return the Sentinels' addresses, the service they monitor, and the TLS options for Sentinels and servers."""
    parts = urlsplit(url)
    addresses = [address.rpartition(":") for address in parts.netloc.split(",")]
    watchers = [(host, int(port)) for host, _, port in addresses]
    if not parts.scheme.startswith("rediss"):
        return watchers, parts.path.strip("/"), {}
    options = parse_url(f"rediss://?{parts.query}")  # redis-py's own reading of names and values
    tls = {name: value for name, value in options.items() if name.startswith("ssl_")}
    return watchers, parts.path.strip("/"), {"ssl": True, **tls}
