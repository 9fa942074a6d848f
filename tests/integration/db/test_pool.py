"""A pool that is exhausted, slow or cut off says which, within its deadline, and shows it in the metrics."""

import threading
from collections.abc import Callable, Iterator
from contextlib import closing

import pytest

from tests.stack import wait_until
from vote.config import DatabaseTarget
from vote.db.pool import Database
from vote.errors import DatabaseBusy, DatabaseUnavailable
from vote.metrics.registry import REGISTRY

POOL = "tests of pools"
WAIT_S = 0.2


@pytest.fixture
def db(database_url: str) -> Iterator[Database]:
    """One connection, and little patience."""
    with closing(Database(DatabaseTarget(database_url, None), size=1, name=POOL, wait_s=WAIT_S)) as one:
        yield one


@pytest.fixture
def refused() -> Callable[[str], float]:
    """How many more were refused for this reason than when the test began."""

    def count(why: str) -> float:
        return REGISTRY.get_sample_value("vote_database_refused_total", {"pool": POOL, "why": why}) or 0

    before = {why: count(why) for why in ("exhausted", "slow", "away")}
    return lambda why: count(why) - before[why]


def gauge(name: str) -> float | None:
    return REGISTRY.get_sample_value(f"vote_database_{name}", {"pool": POOL})


def test_who_finds_every_connection_in_use_is_told_so_in_time(db: Database, refused: Callable[[str], float]) -> None:
    told = []

    def ask() -> None:
        with pytest.raises(DatabaseBusy) as refusal, db.read():
            pass
        told.append(refusal.value.retry_after_s)

    with db.transaction(by="tests"):
        waiting = [threading.Thread(target=ask, daemon=True) for _ in range(5)]
        for thread in waiting:
            thread.start()
        in_use = gauge("in_use")
        wait_until(lambda: len(told) == 5, what="all were told")

    assert told == [2] * 5
    assert (refused("exhausted"), refused("slow"), refused("away")) == (5, 0, 0)
    assert (gauge("pool_size"), in_use, gauge("in_use"), gauge("waiting")) == (1, 1, 0, 0)
    with db.read() as tx:
        assert tx.execute("SELECT 1").fetchone() == (1,)


def test_a_statement_that_takes_too_long_is_given_up(db: Database, refused: Callable[[str], float]) -> None:
    slow = "SELECT set_config('statement_timeout', '50', true), pg_sleep(0)", "SELECT pg_sleep(60)"
    with pytest.raises(DatabaseUnavailable) as refusal, db.transaction(by="tests") as tx:
        list(map(tx.execute, slow))

    assert not isinstance(refusal.value, DatabaseBusy)
    assert (refused("exhausted"), refused("slow"), refused("away")) == (0, 1, 0)


def test_who_was_frozen_in_a_transaction_finds_the_database_unavailable(db: Database, owner: Database) -> None:
    """The server has let go of its locks (R4); the worker's loop must go on, as after any lost connection."""

    def is_gone() -> bool:
        with owner.read() as look:
            return look.execute("SELECT FROM pg_stat_activity WHERE application_name = %s", (POOL,)).fetchone() is None

    def freeze_and_wake() -> None:
        with db.transaction(by="tests") as tx:
            tx.execute("SELECT set_config('idle_in_transaction_session_timeout', '50', true)")
            wait_until(is_gone, what="the server has ended the session")
            tx.execute("SELECT 1")

    with pytest.raises(DatabaseUnavailable):
        freeze_and_wake()


def test_a_server_that_is_away_is_not_taken_for_a_busy_one(refused: Callable[[str], float]) -> None:
    nowhere = DatabaseTarget("postgresql://nobody@127.0.0.1:1/vote", None)
    with closing(Database(nowhere, size=1, name=POOL, wait_s=WAIT_S)) as away:
        for _ in range(2):  # the second is told at once, by the breaker
            with pytest.raises(DatabaseUnavailable) as refusal, away.read():
                pass
            assert not isinstance(refusal.value, DatabaseBusy)

    assert (refused("exhausted"), refused("away")) == (0, 2)


def test_each_exchange_is_timed_and_what_the_pool_does_around_it_is_not(db: Database) -> None:
    def exchanges() -> float:
        return REGISTRY.get_sample_value("vote_database_seconds_count", {"pool": POOL}) or 0

    with db.read() as tx:
        tx.execute("SELECT 1")
    before = exchanges()
    with db.read() as tx:
        tx.execute("SELECT 1")
        tx.execute("SELECT pg_sleep(0.11)")

    assert exchanges() - before == 2
    assert (REGISTRY.get_sample_value("vote_database_seconds_bucket", {"pool": POOL, "le": "0.1"}) or 0) < exchanges()
