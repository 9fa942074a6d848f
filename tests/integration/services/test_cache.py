"""Copies in the cache: one rebuild at a time, nothing old after a change, and no page that fails without Redis."""

import json
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from typing import Any

import pytest
import redis

from tests.servers import Pair
from tests.stack import wait_until
from vote.domain.installation import Installation
from vote.services.cache import KEEP_S, LEASE_S, Cache, key_of, lease_of

OURS = Installation("tests")

Both = tuple[Cache, Cache]


@pytest.fixture
def both(redis_url: str) -> Iterator[Both]:
    """The caches of two processes."""
    with closing(Cache(redis_url, OURS)) as one, closing(Cache(redis_url, OURS)) as two:
        yield one, two


@pytest.fixture
def server(redis_url: str) -> Iterator["redis.Redis"]:
    """The Redis itself."""
    with redis.Redis.from_url(redis_url, decode_responses=True) as client:
        yield client


def never() -> str:
    raise AssertionError("the database was asked although there is a copy")


def test_a_copy_is_shared_by_all_processes_and_ends_by_itself(both: Both, server: "redis.Redis") -> None:
    one, two = both

    assert one.get("x", lambda: "1") == "1"
    assert one.get("x", never) == two.get("x", never) == "1"
    assert 0 < server.pttl(key_of(str(OURS.id), "x")) <= KEEP_S * 1000
    assert not server.exists(lease_of(str(OURS.id), "x"))


def test_what_is_not_for_everybody_is_not_kept(both: Both, server: "redis.Redis") -> None:
    assert both[0].get("x", lambda: None) is None
    assert server.keys("*") == []


def test_however_many_ask_one_rebuilds(both: Both) -> None:
    cache, asked, may_go_on = both[0], [], threading.Event()

    def build() -> str:
        asked.append(threading.get_ident())
        assert may_go_on.wait(10)
        return "1"

    with ThreadPoolExecutor(20) as pool:
        answers = [pool.submit(cache.get, "x", build) for _ in range(20)]
        while pool._work_queue.qsize() or not asked:
            time.sleep(0.001)  # until all are under way
        may_go_on.set()

        assert {answer.result() for answer in answers} == {"1"}
    assert len(asked) == 1


def test_who_reads_for_nothing_tells_all_who_wait(both: Both) -> None:
    def fail() -> str:
        raise LookupError

    for _ in range(2):  # and the next one may try again
        with pytest.raises(LookupError):
            both[0].get("x", fail)


@pytest.mark.parametrize("who_changes", [0, 1])
def test_what_was_read_before_a_change_is_not_stored_after_it(both: Both, who_changes: int) -> None:
    def overtaken() -> str:
        both[who_changes].forget(["x"])
        return "old"

    both[0].get("x", overtaken)

    assert both[0].get("x", lambda: "new") == "new"
    assert both[1].get("x", never) == "new"


def test_an_old_rebuild_does_not_overwrite_a_newer_copy(both: Both) -> None:
    def overtaken() -> str:
        both[1].forget(["x"])
        assert both[1].get("x", lambda: "new") == "new"
        return "old"

    both[0].get("x", overtaken)

    assert both[0].get("x", never) == "new"


def test_a_process_without_the_lease_reads_for_itself_and_stores_nothing(both: Both, server: "redis.Redis") -> None:
    server.set(lease_of(str(OURS.id), "x"), "somebody", ex=LEASE_S)

    assert both[0].get("x", lambda: "mine") == "mine"
    assert not server.exists(key_of(str(OURS.id), "x"))


def test_without_redis_the_database_is_asked_and_nobody_waits(both: Both, servers: Pair) -> None:
    both[0].get("x", lambda: "1")
    servers.freeze_log()
    try:
        answers = [both[0].get("x", lambda number=number: json.dumps(number)) for number in range(200)]  # type: ignore[misc]
        asked = both[0]._best_effort._breaker.is_open
        both[0].forget(["x"])
    finally:
        servers.thaw_log()

    assert answers == [str(number) for number in range(200)]
    assert asked, "two hundred waits for a frozen Redis would be twenty seconds"


def test_what_could_not_be_forgotten_is_forgotten_before_the_next_copy_is_taken(both: Both, servers: Pair) -> None:
    both[0].get("x", lambda: "old")
    servers.freeze_log()
    try:
        both[0].forget(["x"])
    finally:
        servers.thaw_log()

    wait_until(lambda: both[0].get("x", lambda: "new") == "new" and not both[0]._owed)
    assert both[1].get("x", never) == "new"


def test_what_changes_again_while_it_is_forgotten_is_owed_still(both: Both, monkeypatch: pytest.MonkeyPatch) -> None:
    cache = both[0]
    pipeline = cache._invalidating_redis.pipeline

    def changed_meanwhile(**how: Any) -> Any:
        made = pipeline(**how)
        execute = made.execute
        made.execute = lambda: (execute(), cache._owed.update(x=object()))[0]
        return made

    with monkeypatch.context() as patch:
        patch.setattr(cache._invalidating_redis, "pipeline", changed_meanwhile)
        cache.forget(["x", "y"])

    assert list(cache._owed) == ["x"]
    assert cache.get("x", lambda: "1") == "1"
    assert not cache._owed, "forgotten before the next copy is taken"


def test_two_installations_on_one_redis_never_share_a_copy(redis_url: str) -> None:
    with closing(Cache(redis_url, OURS)) as ours, closing(Cache(redis_url, Installation("others"))) as theirs:
        assert ours.get("x", lambda: "ours") == "ours"
        assert theirs.get("x", lambda: "theirs") == "theirs"
        theirs.forget(["x"])
        assert ours.get("x", lambda: "built anew") == "ours", "what one forgets, the other keeps"


def test_before_the_installation_is_known_nothing_is_kept(redis_url: str, server: "redis.Redis") -> None:
    unknown = Installation()
    with closing(Cache(redis_url, unknown)) as cache:
        assert cache.get("x", lambda: "built") == "built"
        assert server.dbsize() == 0
        cache.forget(["x"])
        unknown.id = OURS.id
        server.set(key_of(str(OURS.id), "x"), "old")
        assert cache.get("x", lambda: "new") == "new", "what was to be forgotten before is owed"
