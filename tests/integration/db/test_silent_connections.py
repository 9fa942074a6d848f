"""Connections to PostgreSQL over which nothing comes any more, and no word of it: each wait has an end of our own."""

import threading
import time
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import psycopg
import pytest

from tests import proxy
from tests.proxy import Proxy
from vote.config import DatabaseTarget
from vote.db import dedicated_connection, pool
from vote.db.dedicated_connection import DedicatedConnection
from vote.db.pool import Database, Tx
from vote.errors import DatabaseBusy, DatabaseUnavailable

GIVEN_UP_S = 30.0  # for what must end by itself
A_BUSY_MACHINE_S = 5.0


@pytest.fixture
def before(database_url: str) -> Iterator[tuple[Proxy, DatabaseTarget]]:
    """A proxy before PostgreSQL, and how to connect through it."""
    with proxy.before_postgres(database_url) as (one, url):
        yield one, DatabaseTarget(url, None)


def within(seconds: float, work: Any) -> Any:
    """What `work` returns or raises; it fails when it has not ended by then."""
    found: list[Any] = []

    def run() -> None:
        try:
            found.append(work())
        except Exception as error:  # noqa: BLE001
            found.append(error)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    thread.join(seconds)
    assert found, f"it still waits after {seconds:g} s"
    if isinstance(found[0], Exception):
        raise found[0]
    return found[0]


def one(tx: Tx) -> int:
    row = tx.execute("SELECT 1").fetchone()
    assert row is not None
    return int(row[0])


def test_a_statement_without_an_answer_ends_and_its_connection_is_not_used_again(
    before: tuple[Proxy, DatabaseTarget], monkeypatch: pytest.MonkeyPatch
) -> None:
    between, target = before
    monkeypatch.setattr(Tx, "timeout_s", 1.0)
    monkeypatch.setattr(pool, "TIMEOUT_S", 1.0)

    def work(db: Database) -> None:
        with db.transaction(by="tests") as tx:
            one(tx)
            between.silence_open()
            one(tx)

    with closing(Database(target, size=1, name="silent")) as db:
        with pytest.raises(DatabaseUnavailable):
            within(GIVEN_UP_S, lambda: work(db))
        with db.read() as tx:
            assert one(tx) == 1


def test_a_connection_without_an_answer_is_closed_so_that_no_late_answer_is_read(
    before: tuple[Proxy, DatabaseTarget],
) -> None:
    between, target = before
    with closing(Tx.connect(target.url, autocommit=True)) as connection:
        connection.timeout_s = 0.5
        assert one(connection) == 1
        between.silence_open()
        with pytest.raises(psycopg.OperationalError):
            within(GIVEN_UP_S, lambda: one(connection))

        assert connection.closed
        assert connection.went_silent


def test_connections_that_went_silent_while_idle_cost_one_short_check_for_all(
    before: tuple[Proxy, DatabaseTarget],
) -> None:
    between, target = before
    with closing(Database(target, size=4, name="silent", wait_s=5)) as db:
        gate = threading.Barrier(4)

        def use() -> None:
            with db.read() as tx:
                one(tx)
                gate.wait(GIVEN_UP_S)

        users = [threading.Thread(target=use) for _ in range(4)]
        for thread in users:
            thread.start()
        for thread in users:
            thread.join()
        between.silence_open()
        for _ in range(8):
            with db.read() as tx:
                one(tx)

        assert db._silent == 1, "each of the four was waited for"


def test_a_server_that_says_nothing_to_anybody_is_away_and_not_busy(before: tuple[Proxy, DatabaseTarget]) -> None:
    between, target = before
    with closing(Database(target, size=1, name="silent", wait_s=1.5)) as db:
        with db.read() as tx:
            one(tx)
        between.cut()

        def work() -> None:
            with db.read() as tx:
                one(tx)

        with pytest.raises(DatabaseUnavailable) as refusal:
            within(GIVEN_UP_S, work)
        assert not isinstance(refusal.value, DatabaseBusy)


def test_a_dedicated_connection_is_made_anew_within_its_own_deadlines(before: tuple[Proxy, DatabaseTarget]) -> None:
    between, target = before
    with closing(DedicatedConnection(target, name="silent")) as reader:
        assert reader.ask(one) == 1
        between.silence_open()
        assert within(GIVEN_UP_S, lambda: reader.ask(one)) == 1
        between.cut()
        began = time.monotonic()
        with pytest.raises(DatabaseUnavailable):
            within(GIVEN_UP_S, lambda: reader.ask(one))
        took = time.monotonic() - began
        between.heal()
        assert within(GIVEN_UP_S, lambda: reader.ask(one)) == 1

    assert took < dedicated_connection.KNOWN_WITHIN_S + pool.CONNECT_TIMEOUT_S + A_BUSY_MACHINE_S


def test_a_dedicated_connection_takes_the_role_of_its_part(database_url: str) -> None:
    with closing(DedicatedConnection(DatabaseTarget(database_url, "vote_web"), name="roles")) as reader:
        role = reader.ask(lambda tx: tx.execute("SELECT current_user").fetchone())

    assert role == ("vote_web",)


def test_idle_connections_are_probed_by_the_kernel(before: tuple[Proxy, DatabaseTarget]) -> None:
    _, target = before
    with closing(Database(target, size=1, name="probed")) as db, db.read() as tx:
        asked = {name: tx.info.get_parameters().get(name) for name in ("keepalives_idle", "tcp_user_timeout")}
    assert asked == {"keepalives_idle": "5", "tcp_user_timeout": "6000"}

    own = DatabaseTarget(target.url + "?tcp_user_timeout=9000", None)
    with closing(Database(own, size=1, name="probed")) as db, db.read() as tx:
        assert tx.info.get_parameters()["tcp_user_timeout"] == "9000", "the URL's own word counts"
    with psycopg.connect(target.url) as plain:
        assert "tcp_user_timeout" not in plain.info.get_parameters()
