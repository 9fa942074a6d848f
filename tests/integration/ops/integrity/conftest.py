"""Books that are filled once in a test process; each test damages a copy of them, and has a copy of the log they came by."""

from collections.abc import Iterator
from typing import Any, NamedTuple

import psycopg
import pytest
import redis

from tests.casting import cast_all, installation_of
from tests.conftest import PASSWORD_HASH, copy_of, emptied_log, environment_of, in_database
from tests.integration.ops.integrity.damage import Execute
from tests.servers import Pair
from tests.stack import wait_until
from vote import config
from vote.actions import competitions
from vote.actions.checkpoints import Signer
from vote.ballotlog.log import BallotLog
from vote.config import Settings
from vote.db import users
from vote.db.pool import Database
from vote.domain.competition import Competition
from vote.domain.person import Person
from vote.worker.worker import Worker

KEY = "c2lnbmluZy1rZXktb2YtdGhlLXRlc3RzLTAxMjM0NTY="
VOTERS = 60


class Filled(NamedTuple):
    """Two competitions, some 200 ballots, signed once in the middle and once at the end."""

    database: str
    log: dict[bytes, bytes]  # each key of the log, as DUMP writes it
    once: Competition
    changeable: Competition
    voters: list[int]


@pytest.fixture(scope="session")
def filled(servers: Pair, template: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Filled]:
    """The books that are copied."""
    with copy_of(servers, template) as url:
        settings = config.load(environment_of(url, emptied_log(servers), tmp_path_factory.mktemp("filled")))
        once, changeable, voters = fill(settings)
        with redis.Redis.from_url(servers.redis_url) as client:
            log: dict[bytes, Any] = {key: client.dump(key) for key in client.scan_iter()}
        yield Filled(url.partition("?")[0].rpartition("/")[2], log, once, changeable, voters)


def fill(settings: Settings) -> tuple[Competition, Competition, list[int]]:
    """Both competitions and their voters; nobody is connected afterwards, so that the database can be copied."""
    owner = Database(settings.database("owner"), size=2, name="vote tests")
    log, worker = (
        BallotLog(settings.log_url, settings.vote_shards, installation_of(settings)),
        Worker.from_settings(settings),
    )
    try:
        worker.prepare()
        worker.step()
        worker.maintenance.signer = Signer(KEY)
        with owner.transaction(by="tests") as tx:
            organiser, *voters = [insert(tx, name) for name in ("noor", *(f"voter-{n}" for n in range(VOTERS)))]
        once, changeable = (
            competitions.create(
                owner,
                log,
                by=Person(organiser, "noor", "organiser"),
                name="Which stage?",
                options=["River stage", "Hall stage"],
                allow_change=allow_change,
            )
            for allow_change in (False, True)
        )
        for choice in "ab":
            cast_all(settings, [(one.id, voter, choice) for voter in voters for one in (once, changeable)])
            worker.step()
            if choice == "a":
                worker.maintenance.sign()
        with worker.db.transaction(by="tests") as tx:
            assert tx.execute("SELECT count(*) FROM checkpoints").fetchone() == (9,)
    finally:
        worker.close()
        log.close()
        owner.close()
    return once, changeable, voters


def insert(tx: Any, name: str) -> int:
    role: Any = "organiser" if name == "noor" else "voter"
    return users.insert(tx, username=name, email=f"{name}@example.com", password_hash=PASSWORD_HASH, role=role)


@pytest.fixture
def database_url(servers: Pair, filled: Filled) -> Iterator[str]:
    """A copy of the filled books."""
    with copy_of(servers, filled.database) as url:
        yield url


@pytest.fixture
def redis_url(servers: Pair, filled: Filled) -> str:
    """A copy of the log."""
    url = emptied_log(servers)
    with redis.Redis.from_url(url) as client:
        for key, content in filled.log.items():
            client.restore(key, 0, content)
    return url


@pytest.fixture
def books(filled: Filled, environment: dict[str, str]) -> Competition:
    """The competition without change, in books of this test."""
    return filled.once


@pytest.fixture
def changeable(filled: Filled, books: Competition) -> Competition:
    """The other one."""
    return filled.changeable


@pytest.fixture
def voters(filled: Filled) -> list[int]:
    """Who voted in both."""
    return filled.voters


@pytest.fixture
def execute(servers: Pair, database_url: str) -> Iterator[Execute]:
    """Runs one statement as a superuser whom no trigger and no foreign key sees."""
    database = database_url.partition("?")[0].rpartition("/")[2]
    with psycopg.connect(in_database(servers.superuser_url, database), autocommit=True) as connection:
        connection.execute("SET session_replication_role = replica")

        def run(statement: str, *parameters: Any) -> list[Any]:
            done = connection.execute(statement.encode(), parameters or None)
            return done.fetchall() if done.description else []

        yield run
        pid = connection.info.backend_pid
    # The owner, who drops the database, may not end a superuser's session.
    with psycopg.connect(servers.superuser_url, autocommit=True) as connection:
        is_there = "SELECT 1 FROM pg_stat_activity WHERE pid = %s"
        wait_until(lambda: connection.execute(is_there, (pid,)).fetchone() is None, what="the session has ended")


@pytest.fixture
def signing(environment: dict[str, str]) -> dict[str, str]:
    """What an auditor has: the login that reads, the public key, and no secret."""
    auditor = {name: value for name, value in environment.items() if name not in ("FLASK_SECRET_KEY", "JWT_SECRET")}
    return auditor | {"CHECKPOINT_PUBLIC_KEY": Signer(KEY).public}
