"""Results from a real streaming replica: used while it is fresh, left when it is late or away, never asked what is final."""

import asyncio
import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import psycopg
import pytest
from flask.testing import FlaskClient

from tests.conftest import in_database
from tests.services import Pair
from tests.stack import wait_until
from vote import config
from vote.app import create_app
from vote.db import competitions, replica, tallies
from vote.db.pool import Database
from vote.db.replica import Replica
from vote.domain.competition import Competition, State
from vote.edge.parts import Parts
from vote.live.feed import Board, Feed
from vote.ops.account import credentials
from vote.ops.embedded.home import make_room, prepare
from vote.ops.embedded.leftovers import servers_in
from vote.ops.embedded.postgres import Postgres
from vote.ops.embedded.programs import server_environ
from vote.ops.process import Process
from vote.ops.starting import start_ready

MAX_LAG_S = 2.0
A_SHORT_TIMEOUT_S = 1.0  # one PATIENCE_S, and what a request takes on a machine that is busy with other tests

Make = Callable[..., Competition]


class Standby:
    """A second PostgreSQL that follows the pair's: `pg_basebackup -R` into a folder and a socket of its own."""

    def __init__(self, pair: Pair, folder: Path) -> None:
        self._pair = pair
        self._room = make_room(prepare(folder), pair.room.account)
        self._postgres = Postgres(self._room, pair.programs)
        self._process = Process(self._postgres.part())

    def start(self) -> None:
        copy = [str(self._pair.programs.postgres_bin / "pg_basebackup"), "-d", self._pair.superuser_url]
        copy += ["-D", str(self._postgres.data), "-R", "-c", "fast", "-X", "stream"]
        who = credentials(self._room.account)
        subprocess.run(copy, check=True, env=server_environ(), cwd=self._room.data, **who)
        start_ready(self._process)

    def url(self, role: str, database: str = "vote") -> str:
        """The URL of a role of the primary, here."""
        primary, here = (quote(str(sockets), safe="/") for sockets in (self._pair.room.sockets, self._room.sockets))
        url = self._pair.url(role, database)
        assert primary in url
        return url.replace(primary, here)

    def say(self, statement: str) -> list[tuple[Any, ...]]:
        """What it answers to its superuser."""
        with psycopg.connect(self.url("postgres", "postgres"), autocommit=True) as connection:
            return connection.execute(statement.encode()).fetchall()

    def pause(self) -> None:
        """Receive, but show nothing new."""
        self.say("SELECT pg_wal_replay_pause()")
        wait_until(lambda: self.say("SELECT pg_get_wal_replay_pause_state()") == [("paused",)], what="replay is paused")

    def resume(self) -> None:
        self.say("SELECT pg_wal_replay_resume()")

    def kill(self) -> None:
        self._process.kill()

    def restart(self) -> None:
        self._process.kill()
        start_ready(self._process)

    def freeze(self) -> None:
        self._signal(signal.SIGSTOP)

    def thaw(self) -> None:
        self._signal(signal.SIGCONT)

    def heal(self) -> None:
        """Whatever was done to it: it follows again."""
        self.thaw()
        if not self._process.is_alive():
            self.restart()
        self.resume()

    def stop(self) -> None:
        self.thaw()
        self.kill()

    def _signal(self, number: signal.Signals) -> None:
        for pid in servers_in(self._postgres.data):
            os.kill(pid, number)


@pytest.fixture(scope="module")
def standby(servers: Pair, template: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Standby]:
    """The replica, following; `template` has made the roles."""
    servers.let_in("vote_reports")
    one = Standby(servers, tmp_path_factory.mktemp("standby"))
    one.start()
    yield one
    one.stop()


@pytest.fixture
def environment(environment: dict[str, str], standby: Standby) -> dict[str, str]:
    """The settings of every test, and a replica."""
    database = environment["DATABASE_URL"].split("?")[0].rsplit("/", 1)[1]
    url = in_database(standby.url("vote_reports"), database)
    return {**environment, "DATABASE_REPLICA_URL": url, "DATABASE_REPLICA_MAX_LAG_S": str(MAX_LAG_S)}


@pytest.fixture
def client(parts: Parts, standby: Standby) -> Iterator[FlaskClient]:
    """A stranger who reads; the replica is in use."""
    wait_until(lambda: parts.replica.is_fresh, what="the replica is used")
    yield create_app(parts).test_client()
    standby.heal()


def count(owner: Database, competition: int, shard: int = 0, **votes: int) -> int:
    """Adds to a tally as the worker does; its version on the primary afterwards."""
    with owner.transaction(by="tests") as tx:
        tallies.add(tx, shard, {(competition, key): number for key, number in votes.items()})
        return tallies.read(tx, [competition])[competition].version


def become(owner: Database, competition: int, *states: State) -> None:
    """Takes a competition from state to state."""
    for state in states:
        with owner.transaction(by="tests") as tx:
            now = competitions.lock(tx, competition)
            assert now is not None
            version = now.rules_version + 1
            competitions.set_state(tx, competition, state, rules_version=version, opens_at=None, closes_at=None)


def snapshot(client: FlaskClient, competition: int) -> dict[str, Any]:
    """The results, by API."""
    answer = client.get(f"/api/competitions/{competition}/results", base_url="https://localhost")
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.get_json()
    return found


def readers(url: str, database: str) -> list[tuple[str, str]]:
    """Who reads results at this server, and what they asked last."""
    with psycopg.connect(url, autocommit=True) as connection:
        return connection.execute(
            "SELECT usename, query FROM pg_stat_activity WHERE application_name = 'vote reports' AND datname = %s",
            (database,),
        ).fetchall()


def has_reached(standby: Standby, owner: Database) -> bool:
    """Whether the replica shows all that is committed."""
    with owner.read() as tx:
        row = tx.execute("SELECT pg_current_wal_flush_lsn()::text").fetchone()
    assert row is not None
    return standby.say(f"SELECT pg_last_wal_replay_lsn() >= '{row[0]}'") == [(True,)]


def follow(parts: Parts, competition: int, during: Callable[[], None]) -> list[int]:
    """The versions that the live feed tells while `during` runs."""
    told: list[int] = []

    def tell(_competition: int, what: Any) -> None:
        assert isinstance(what, Board), what
        told.append(what.news.version)

    async def run() -> None:
        feed = Feed(parts.reports, lambda: [competition], tell, parts.replica)
        feed.start()
        try:
            await asyncio.to_thread(during)
        finally:
            await feed.stop()

    asyncio.run(run())
    return told


# --- while it is fresh ------------------------------------------------------------------------------------------------


def test_api_pages_and_live_results_are_read_from_it(
    client: FlaskClient, parts: Parts, owner: Database, standby: Standby, servers: Pair, make_competition: Make
) -> None:
    competition = make_competition().id
    count(owner, competition, a=2, b=1)
    wait_until(lambda: has_reached(standby, owner), what="the replica has the votes")
    with owner.read() as tx:
        database = tx.info.dbname
    before = [query for _, query in readers(servers.superuser_url, database)]

    by_api = snapshot(client, competition)
    page = client.get(f"/results/{competition}", base_url="https://localhost")
    told = follow(parts, competition, lambda: time.sleep(0.5))

    assert (by_api["total"], by_api["options"]) == (3, {"a": 2, "b": 1})
    assert page.status_code == 200
    assert told == [by_api["version"]]
    there = readers(standby.url("postgres", database), database)
    assert {name for name, _ in there} == {"vote_reports"}
    asked = [query for _, query in there]
    assert any("FROM competitions c" in query for query in asked), asked
    here = [query for _, query in readers(servers.superuser_url, database)]
    assert not any("FROM competitions c" in query for query in before + here), "the primary measured, and was not read"


def test_an_idle_primary_is_not_a_late_replica(client: FlaskClient, parts: Parts) -> None:
    deadline, looks = time.monotonic() + 2 * MAX_LAG_S, []
    while time.monotonic() < deadline:
        looks.append(parts.replica.is_fresh)
        time.sleep(0.02)

    assert all(looks)


def test_it_cannot_be_written(parts: Parts, client: FlaskClient, standby: Standby) -> None:
    assert parts.replica.ask(lambda tx: tx.execute("CREATE TEMPORARY TABLE t ()")) is None
    with (
        psycopg.connect(parts.settings.database_replica_url or "") as reports,
        pytest.raises(psycopg.errors.ReadOnlySqlTransaction),
    ):
        reports.execute("CREATE TEMPORARY TABLE t ()")
    with pytest.raises(psycopg.errors.ReadOnlySqlTransaction):
        standby.say("CREATE TABLE t ()")


def test_what_is_asked_there_has_the_role_of_reports(parts: Parts, client: FlaskClient) -> None:
    role = parts.replica.ask(lambda tx: tx.execute("SELECT current_user, pg_is_in_recovery()").fetchone())

    assert role == ("vote_reports", True)
    assert parts.replica.ask(lambda tx: tx.execute("SELECT email FROM users").fetchall()) is None


def test_an_export_is_read_from_it_only_when_it_holds_all_that_the_primary_holds(
    client: FlaskClient, parts: Parts, owner: Database, standby: Standby, make_competition: Make
) -> None:
    def export() -> list[str] | None:
        """The names of competitions, when the replica tells them."""
        with parts.db.read() as tx:
            return parts.replica.ask_up_to_now(
                lambda there: [row[0] for row in there.execute("SELECT name FROM competitions")], tx
            )

    make_competition(name="The first")
    wait_until(lambda: export() == ["The first"], what="the replica is asked")
    standby.pause()
    make_competition(name="The second")
    late, still_fresh = export(), parts.replica.is_fresh
    standby.resume()

    assert still_fresh, "fresh enough for results"
    assert late is None, "not for an export: the primary is asked"
    wait_until(lambda: set(export() or []) == {"The first", "The second"}, what="it is asked again")


# --- when it is late --------------------------------------------------------------------------------------------------


def test_one_that_stands_still_is_left_and_used_again(
    client: FlaskClient, parts: Parts, owner: Database, standby: Standby, make_competition: Make
) -> None:
    competition = make_competition().id
    count(owner, competition, a=1)
    wait_until(lambda: has_reached(standby, owner), what="the replica has the votes")
    snapshot(client, competition)
    versions: list[int] = []
    took: dict[str, float] = {}

    def see(total: int) -> bool:
        found = snapshot(client, competition)
        versions.append(found["version"])
        return int(found["total"]) == total

    def events() -> None:
        standby.pause()
        count(owner, competition, a=1)
        began = time.monotonic()
        wait_until(lambda: see(2), what="the primary is read")
        took["left"] = time.monotonic() - began
        standby.resume()
        wait_until(lambda: parts.replica.is_fresh and see(2), what="the replica is used again")
        count(owner, competition, a=1)
        wait_until(lambda: see(3), what="the replica shows what is new")

    told = follow(parts, competition, events)

    assert took["left"] <= MAX_LAG_S + A_SHORT_TIMEOUT_S
    assert versions == sorted(versions), "no reader goes back"
    assert told == sorted(set(told)), "no watcher goes back"


def test_a_final_tally_is_the_primarys_while_the_replica_stands_still(
    client: FlaskClient, parts: Parts, owner: Database, standby: Standby, make_competition: Make
) -> None:
    competition = make_competition().id
    count(owner, competition, a=1)
    wait_until(lambda: has_reached(standby, owner), what="the replica has the votes")
    assert snapshot(client, competition)["state"] == "open"
    standby.pause()
    count(owner, competition, a=1)
    become(owner, competition, "closing")

    closing = snapshot(client, competition)
    last = count(owner, competition, b=1)
    become(owner, competition, "closed")
    closed = snapshot(client, competition)
    still_fresh = parts.replica.is_fresh

    assert still_fresh, "the replica was in use, and was not asked"
    assert (closing["state"], closing["total"]) == ("closing", 2)
    assert (closed["state"], closed["total"], closed["options"]) == ("closed", 3, {"a": 2, "b": 1})
    assert closed["version"] > last
    page = client.get(f"/results/{competition}", base_url="https://localhost").text
    assert f'data-version="{closed["version"]}"' in page


def test_a_final_tally_that_the_replica_has_too_is_still_the_primarys(
    client: FlaskClient, parts: Parts, owner: Database, standby: Standby, make_competition: Make
) -> None:
    competition = make_competition().id
    count(owner, competition, a=1)
    become(owner, competition, "closing", "closed")
    wait_until(lambda: has_reached(standby, owner), what="the replica has the close")
    standby.pause()
    become(owner, competition, "open")
    count(owner, competition, b=1)

    reopened = snapshot(client, competition)
    told = follow(parts, competition, lambda: time.sleep(0.5))

    assert (reopened["state"], reopened["total"]) == ("open", 2), "what was final there is not shown"
    assert told == [reopened["version"]]


def test_nobody_goes_back_from_what_a_process_has_shown(
    client: FlaskClient, parts: Parts, owner: Database, standby: Standby, make_competition: Make
) -> None:
    competition = make_competition().id
    count(owner, competition, a=1)
    wait_until(lambda: has_reached(standby, owner), what="the replica has the votes")
    standby.pause()
    count(owner, competition, a=1)
    become(owner, competition, "closing")
    closing = snapshot(client, competition)
    become(owner, competition, "open")

    again = snapshot(client, competition)

    assert parts.replica.is_fresh
    assert again["version"] > closing["version"]
    assert again["total"] == 2, "the replica says open too, but with the figures from before"


def test_a_client_that_says_what_it_has_is_given_nothing_older(
    client: FlaskClient, parts: Parts, owner: Database, standby: Standby, make_competition: Make
) -> None:
    competition = make_competition().id
    count(owner, competition, a=1)
    wait_until(lambda: has_reached(standby, owner), what="the replica has the votes")
    standby.pause()
    elsewhere = count(owner, competition, a=1)

    answer = client.get(
        f"/api/competitions/{competition}/results",
        base_url="https://localhost",
        headers={"If-None-Match": f'"{competition}-{elsewhere}"'},
    )

    assert parts.replica.is_fresh
    assert answer.status_code == 304


# --- when it is away --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("fault", ["kill", "freeze"])
def test_one_that_is_away_costs_no_error_and_one_short_timeout(
    client: FlaskClient, parts: Parts, owner: Database, standby: Standby, make_competition: Make, fault: str
) -> None:
    competition = make_competition().id
    count(owner, competition, a=1)
    wait_until(lambda: has_reached(standby, owner), what="the replica has the votes")
    snapshot(client, competition)

    getattr(standby, fault)()
    seconds = []
    for number in range(2, 22):
        count(owner, competition, a=1)
        began = time.monotonic()
        found = snapshot(client, competition)
        seconds.append(time.monotonic() - began)
        if len(seconds) > 1:
            assert found["total"] == number, "from the primary"
        time.sleep(0.1)

    assert max(seconds) < replica.PATIENCE_S + A_SHORT_TIMEOUT_S
    assert sum(one > replica.PATIENCE_S for one in seconds) <= 1, seconds
    standby.thaw()
    if fault == "kill":
        standby.restart()
    wait_until(lambda: parts.replica.is_fresh, what="the replica is used again")


def test_a_server_that_follows_nobody_is_no_replica(environment: dict[str, str], reports: Database) -> None:
    settings = config.load({**environment, "DATABASE_REPLICA_URL": environment["DATABASE_URL"]})
    itself = Replica(settings.replica(), reports, size=1, max_lag_s=MAX_LAG_S)
    itself.start()
    time.sleep(1.5 * replica.CHECK_EVERY_S)

    assert not itself.is_fresh
    assert itself.ask(lambda tx: tx.execute("SELECT 1").fetchone()) is None
    itself.close()


@pytest.fixture
def reports(environment: dict[str, str]) -> Iterator[Database]:
    """The primary as readers of results see it."""
    db = Database(config.load(environment).database("reports"), size=2, name="vote reports")
    yield db
    db.close()


def test_without_a_replica_nothing_is_measured(reports: Database) -> None:
    none = Replica(None, reports, size=1, max_lag_s=MAX_LAG_S)
    none.start()

    assert not none.is_fresh
    assert none.ask(lambda tx: tx.execute("SELECT 1").fetchone()) is None
    assert reports.stats().get("requests_num", 0) == 0
    none.close()
