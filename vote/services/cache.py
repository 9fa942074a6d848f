"""Cache public data in Redis: cache-aside, with a lease per entry, so that no entry stays stale after a change.

    vote:cache:<installation>:{name}         an entry, KEEP_S; `competition:<id>`, `listed` or `final:<id>:<revision>`
    vote:cache:<installation>:{name}:lease   the process that rebuilds it: a random token, LEASE_S

Keys contain the installation's id, so that two products on one Redis never show each other's pages. Until the id has been
read from PostgreSQL, nothing is cached.

The lease holder rebuilds a missing entry, and stores it only while it still holds the lease. Invalidation deletes the lease
too: what was read before a change is never stored after it (Nishtala et al., "Scaling Memcache at Facebook", §3.2.1). Within
a process all callers wait for one rebuild; a process without the lease rebuilds for itself and stores nothing. So each
process reads the database once, however many callers there are.

Redis only saves work. While it is away or slow, callers read the database, and Redis is left alone for a while.
"""

import contextlib
import secrets
import threading
from collections.abc import Callable, Iterable
from concurrent.futures import Future
from functools import partial

from redis import Redis

from vote import redis_client
from vote.domain.installation import Installation
from vote.metrics.stores import CACHE
from vote.services.best_effort_redis import BestEffortRedis

KEEP_S = 10  # how long an entry may be stale when Redis was away during the invalidation
LEASE_S = 5  # longer than a statement may take
TIMEOUT_S = 0.1  # for reads: after this the database is faster
FORGET_TIMEOUT_S = 1.0  # for invalidations, which must also reach a slow Redis
PREFIX = "vote:cache"

STORE = """
if redis.call('GET', KEYS[2]) == ARGV[1] then
  redis.call('SET', KEYS[1], ARGV[2], 'EX', ARGV[3])
  redis.call('DEL', KEYS[2])
end
"""


class Cache:
    """The cache as one process sees it. Thread-safe; never raises because of Redis."""

    def __init__(self, url: str, installation: Installation) -> None:
        self._installation = installation
        self._redis = redis_client.connect(url, timeout_s=TIMEOUT_S)
        self._invalidating_redis = redis_client.connect(url, timeout_s=FORGET_TIMEOUT_S)
        self._best_effort = BestEffortRedis()
        self._lock = threading.Lock()
        self._under_way: dict[str, Future[str | None]] = {}
        self._owed: dict[str, object] = {}  # pending invalidations: name to the change that caused it

    def get(self, name: str, build: Callable[[], str | None]) -> str | None:
        """Return the entry, or what `build` reads now. None is returned but not cached. Raises what `build` raises."""
        owner = self._installation.id
        if owner is None:
            CACHE.labels(kind_of(name), "miss").inc()
            return self._deduplicated(name, build)
        if self._owed:
            self._best_effort.ask(lambda: self._drop(self._redis, owner))
        copy = self._best_effort.ask(lambda: self._redis.get(key_of(owner, name)))
        CACHE.labels(kind_of(name), "miss" if copy is None else "hit").inc()
        return self._deduplicated(name, partial(self._rebuild, owner, name, build)) if copy is None else str(copy)

    def forget(self, names: Iterable[str]) -> None:
        """Invalidate entries, and prevent storing what was read before now. Call it after the commit.

        If Redis does not answer, the invalidation is repeated before this process next reads an entry.
        """
        with self._lock:
            self._owed.update(dict.fromkeys(names, object()))
            self._under_way.clear()  # callers from now on rebuild again
        owner = self._installation.id
        with contextlib.suppress(*redis_client.LogError):
            if owner is not None:  # else it stays pending until the id is known
                self._drop(self._invalidating_redis, owner)

    def close(self) -> None:
        """Close the connections."""
        self._redis.close()
        self._invalidating_redis.close()

    def _drop(self, client: Redis, owner: str) -> None:
        with self._lock:
            owed = dict(self._owed)
        pipeline = client.pipeline(transaction=False)
        for name in owed:
            for key in (lease_of(owner, name), key_of(owner, name)):
                pipeline.delete(key)
        pipeline.execute()
        with self._lock:  # keep names that have changed again meanwhile
            for name in [name for name, change in owed.items() if self._owed.get(name) is change]:
                del self._owed[name]

    def _rebuild(self, owner: str, name: str, build: Callable[[], str | None]) -> str | None:
        key, lease, token = key_of(owner, name), lease_of(owner, name), secrets.token_hex(8)
        has_lease = self._best_effort.ask(lambda: self._redis.set(lease, token, nx=True, ex=LEASE_S))
        stored = self._best_effort.ask(lambda: self._redis.get(key))  # another process may have rebuilt it meanwhile
        built = build() if stored is None else str(stored)
        if has_lease and stored is None and built is not None:
            self._best_effort.ask(lambda: self._redis.eval(STORE, 2, key, lease, token, built, KEEP_S))
        elif has_lease:
            self._best_effort.ask(lambda: self._redis.delete(lease))
        return built

    def _deduplicated(self, name: str, work: Callable[[], str | None]) -> str | None:
        with self._lock:
            running = self._under_way.get(name)
            if running is None:
                future = self._under_way[name] = Future[str | None]()
        if running is not None:
            return running.result()
        try:
            future.set_result(work())
        except BaseException as error:
            future.set_exception(error)
            raise
        finally:
            with self._lock:
                if self._under_way.get(name) is future:
                    del self._under_way[name]
        return future.result()


def kind_of(name: str) -> str:
    """Return what kind of entry a name is of: a label of metrics, so without ids."""
    return name.partition(":")[0]


def key_of(installation: str, name: str) -> str:
    """Return the Redis key of an entry. The hash tag keeps it in one cluster slot with its lease."""
    return f"{PREFIX}:{installation}:{{{name}}}"


def lease_of(installation: str, name: str) -> str:
    """Return the Redis key of an entry's lease."""
    return f"{key_of(installation, name)}:lease"
