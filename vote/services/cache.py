"""Copies of what everybody may see, in the cache's Redis: who rebuilds one, and why an old one never stays.

    vote:cache:<installation>:{name}         a copy, KEEP_S; `competition:<id>`, `listed` or `final:<id>:<revision>`
    vote:cache:<installation>:{name}:lease   who is rebuilding it: a random word, LEASE_S

The installation's id is in the names, so that two products on one Redis never show each other's pages. Before it was read
from PostgreSQL nothing is kept and nothing is taken from here.

A copy that is missing is rebuilt by whoever gets the lease, and it is stored only while the lease is still theirs.
Forgetting a copy takes the lease away too: who read the database before a change stores nothing after it (Nishtala et
al., "Scaling Memcache at Facebook", §3.2.1). Within a process all who want the same wait for one rebuild; a process that
has not the lease rebuilds for itself and stores nothing. So however many ask, each process asks the database once.

Redis only saves work. When it is away or slow the database is asked, and for a while Redis is not asked at all.
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
from vote.services.best_effort_redis import BestEffortRedis

KEEP_S = 10  # the longest a copy may be old when a change could not be told, because Redis was away at that moment
LEASE_S = 5  # longer than a statement may take
TIMEOUT_S = 0.1  # a page would rather ask the database
FORGET_TIMEOUT_S = 1.0  # a change would rather be told, also to a Redis that is slow to write
PREFIX = "vote:cache"

STORE = """
if redis.call('GET', KEYS[2]) == ARGV[1] then
  redis.call('SET', KEYS[1], ARGV[2], 'EX', ARGV[3])
  redis.call('DEL', KEYS[2])
end
"""


class Cache:
    """The copies, as one process sees them. Safe in threads; never raises because of Redis."""

    def __init__(self, url: str, installation: Installation) -> None:
        self._installation = installation
        self._redis = redis_client.connect(url, timeout_s=TIMEOUT_S)
        self._patient = redis_client.connect(url, timeout_s=FORGET_TIMEOUT_S)
        self._best_effort = BestEffortRedis()
        self._lock = threading.Lock()
        self._under_way: dict[str, Future[str | None]] = {}
        self._owed: dict[str, object] = {}  # names that are not forgotten yet, each with the change it is owed to

    def get(self, name: str, build: Callable[[], str | None]) -> str | None:
        """The copy, or what `build` reads now; its None is handed on and not kept. Raises what `build` raises."""
        owner = self._installation.id
        if owner is None:
            return self._once(name, build)
        if self._owed:
            self._best_effort.ask(lambda: self._drop(self._redis, owner))
        copy = self._best_effort.ask(lambda: self._redis.get(key_of(owner, name)))
        return self._once(name, partial(self._rebuild, owner, name, build)) if copy is None else str(copy)

    def forget(self, names: Iterable[str]) -> None:
        """Drop copies, and let nobody store what was read before now. Call it after the commit.

        When Redis does not answer, it is done before this process next takes a copy.
        """
        with self._lock:
            self._owed.update(dict.fromkeys(names, object()))
            self._under_way.clear()  # who asks from now on starts anew
        owner = self._installation.id
        with contextlib.suppress(*redis_client.LogError):
            if owner is not None:  # else it is owed until it is known
                self._drop(self._patient, owner)

    def close(self) -> None:
        """Let the connections go."""
        self._redis.close()
        self._patient.close()

    def _drop(self, client: Redis, owner: str) -> None:
        with self._lock:
            owed = dict(self._owed)
        pipeline = client.pipeline(transaction=False)
        for name in owed:
            for key in (lease_of(owner, name), key_of(owner, name)):
                pipeline.delete(key)
        pipeline.execute()
        with self._lock:  # what changed once more meanwhile is owed still
            for name in [name for name, change in owed.items() if self._owed.get(name) is change]:
                del self._owed[name]

    def _rebuild(self, owner: str, name: str, build: Callable[[], str | None]) -> str | None:
        key, lease, mine = key_of(owner, name), lease_of(owner, name), secrets.token_hex(8)
        has_lease = self._best_effort.ask(lambda: self._redis.set(lease, mine, nx=True, ex=LEASE_S))
        stored = self._best_effort.ask(lambda: self._redis.get(key))  # by who rebuilt it since this caller looked
        built = build() if stored is None else str(stored)
        if has_lease and stored is None and built is not None:
            self._best_effort.ask(lambda: self._redis.eval(STORE, 2, key, lease, mine, built, KEEP_S))
        elif has_lease:
            self._best_effort.ask(lambda: self._redis.delete(lease))
        return built

    def _once(self, name: str, work: Callable[[], str | None]) -> str | None:
        with self._lock:
            running = self._under_way.get(name)
            if running is None:
                mine = self._under_way[name] = Future[str | None]()
        if running is not None:
            return running.result()
        try:
            mine.set_result(work())
        except BaseException as error:
            mine.set_exception(error)
            raise
        finally:
            with self._lock:
                if self._under_way.get(name) is mine:
                    del self._under_way[name]
        return mine.result()


def key_of(installation: str, name: str) -> str:
    """Where a copy lies. The hash tag keeps it in one slot of a cluster with its lease."""
    return f"{PREFIX}:{installation}:{{{name}}}"


def lease_of(installation: str, name: str) -> str:
    """Where it says who is rebuilding it."""
    return f"{key_of(installation, name)}:lease"
