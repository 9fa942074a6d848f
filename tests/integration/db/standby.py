"""A real streaming replica for tests: a second PostgreSQL that follows the pair, which they pause, freeze and kill."""

import asyncio
import contextlib
import os
import signal
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import psycopg
import pytest
from flask.testing import FlaskClient

from tests.conftest import in_database
from tests.servers import Pair
from tests.stack import wait_until
from vote.app import create_app
from vote.db import tallies
from vote.db.pool import Database
from vote.live.messages import CompetitionView
from vote.live.tally_poller import TallyPoller
from vote.ops.account import credentials
from vote.ops.embedded.home import make_room, prepare
from vote.ops.embedded.postgres import Postgres
from vote.ops.embedded.programs import server_environ
from vote.ops.embedded.stale_servers import servers_in
from vote.ops.process import Process
from vote.ops.server_start import start_ready
from vote.services.container import Services

MAX_LAG_S = 2.0
A_BUSY_MACHINE_S = 5.0  # what a few requests may take beside what is promised


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
            done = connection.execute(statement.encode())
            return done.fetchall() if done.description else []

    def pause(self) -> None:
        """Receive, but show nothing new."""
        self.say("SELECT pg_wal_replay_pause()")
        wait_until(lambda: self.say("SELECT pg_get_wal_replay_pause_state()") == [("paused",)], what="replay is paused")

    def resume(self) -> None:
        self.say("SELECT pg_wal_replay_resume()")

    def stop_hearing(self) -> None:
        """Receive nothing more, as one that is cut off; what it has received it shows."""
        self.say("ALTER SYSTEM SET primary_conninfo = ''")
        self.say("SELECT pg_reload_conf()")
        wait_until(lambda: self.say("SELECT 1 FROM pg_stat_wal_receiver") == [], what="it hears nothing")

    def promote(self) -> None:
        """Become the primary, on a timeline of its own. Returns when it takes writes."""
        assert self.say("SELECT pg_promote(true, 60)") == [(True,)]

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
            with contextlib.suppress(ProcessLookupError):  # a process of a connection that has ended meanwhile
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
def client(services: Services, standby: Standby) -> Iterator[FlaskClient]:
    """A stranger who reads; the replica is in use."""
    wait_until(lambda: services.replica.is_fresh, what="the replica is used")
    yield create_app(services).test_client()
    standby.heal()


def count(owner: Database, competition: int, shard: int = 0, **votes: int) -> int:
    """Adds to a tally as the worker does; its version on the primary afterwards."""
    with owner.transaction(by="tests") as tx:
        tallies.add(tx, shard, {(competition, key): number for key, number in votes.items()})
        return tallies.read(tx, [competition])[competition].version


def snapshot(client: FlaskClient, competition: int) -> dict[str, Any]:
    """The results, by API."""
    answer = client.get(f"/api/competitions/{competition}/results", base_url="https://localhost")
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.get_json()
    return found


def has_reached(standby: Standby, owner: Database) -> bool:
    """Whether the replica shows all that is committed."""
    with owner.read() as tx:
        row = tx.execute("SELECT pg_current_wal_flush_lsn()::text").fetchone()
    assert row is not None
    return standby.say(f"SELECT pg_last_wal_replay_lsn() >= '{row[0]}'") == [(True,)]


def follow(services: Services, competition: int, during: Callable[[], None]) -> list[int]:
    """The versions that the live feed tells while `during` runs."""
    told: list[int] = []

    def tell(_competition: int, what: Any) -> None:
        assert isinstance(what, CompetitionView), what
        told.append(what.figures.version)

    async def run() -> None:
        feed = TallyPoller(services.reports, lambda: [competition], tell)
        feed.start()
        try:
            await asyncio.to_thread(during)
        finally:
            await feed.stop()

    asyncio.run(run())
    return told
