"""What every test may ask for: real servers of this run, a fresh database and an empty log per test, ready-made people.

One pair of servers per test process; one migrated template database, cloned per test (a copy takes a tenth of a second).
`--services=system` takes Debian's PostgreSQL 15 and Redis 7.0 instead of the wheels.
"""

import logging
import os
import secrets
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any, Literal

import hypothesis
import psycopg
import pytest
import redis
import structlog

from tests import in_memory, pooler
from tests.casting import installation_of
from tests.servers import Pair, start_pair
from tests.stack import Stack, running
from vote import config
from vote.actions import competitions
from vote.auth import create_jwt_token, hash_password
from vote.ballotlog.log import BallotLog
from vote.config import Settings
from vote.db import migrate, shard_positions, users
from vote.db.pool import Database
from vote.db.users import Account
from vote.domain.competition import Competition
from vote.domain.person import Person
from vote.errors import ConfigError
from vote.ops.embedded import programs
from vote.services.competition_cache import CacheInvalidator
from vote.services.container import Services
from vote.worker.worker import Worker

FLASK_SECRET = "tests-flask-8Jq2vX0zLr5mWc7Nk1Yd4Hs6Bt9P"
JWT_SECRET = "tests-jwt-Zx4cV9bN2mQ7wE1rT6yU3iO8pA5sD0"
PASSWORD = "Pass123!"
PASSWORD_HASH = "pbkdf2:sha256:600000$tests$" + "00" * 32  # nobody logs in with it; hashing takes 0.3 s
TEMPLATE = "vote_template"

# No test is a matter of time: Hypothesis' own limit of 200 ms an example fails on a machine that is busy.
hypothesis.settings.register_profile("vote", deadline=None)
hypothesis.settings.load_profile("vote")

_TESTS = Path(__file__).parent
# The files with long tests first: they end a run together only while there are small ones left to fill up with. xdist
# would begin with the files of most tests, which are the quickest (`--no-loadscope-reorder` in the Makefile).
_SLOW_FIRST = ("soak", "system", "integration", "browser", "security", "deploy", "unit")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--services", choices=["embedded", "system"], default="embedded", help="which servers to run on")


def pytest_configure() -> None:
    in_memory.begin()


def pytest_unconfigure() -> None:
    in_memory.end()


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Deselect, and say so, what cannot run here: tracing needs strace, and root to attach it to a server; TLS needs
    servers that speak it, which those of the wheels do not; no wheel brings PgBouncer or promtool.
    """
    if pooler.program() is None:
        _deselect(config, items, "pgbouncer", "pgbouncer (as root on Debian `make test` installs it)")
    if shutil.which("promtool") is None:
        _deselect(config, items, "promtool", "promtool (as root on Debian `make test` installs prometheus)")
    if not (shutil.which("strace") and os.geteuid() == 0):
        _deselect(config, items, "strace", "strace and root (as root on Debian `make test` installs it)")
    try:
        programs.find("system", None)
    except ConfigError as error:
        _deselect(config, items, "tls", f"PostgreSQL and Redis with TLS, whichever run the others. {error}")
    items.sort(key=lambda item: _SLOW_FIRST.index(item.path.relative_to(_TESTS).parts[0]))  # stable


def _deselect(config: pytest.Config, items: list[pytest.Item], marker: str, needed: str) -> None:
    marked = [item for item in items if item.get_closest_marker(marker)]
    if marked:
        config.hook.pytest_deselected(items=marked)
        items[:] = [item for item in items if item not in marked]
        print(f"deselected: {len(marked)} tests that need {needed}")


@pytest.fixture(scope="session", autouse=True)
def _no_logger_outlives_a_test() -> Iterator[None]:
    """`logs.configure` in this process must not tie the loggers of all later tests to the output of this one."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(structlog, "configure", partial(_configure_uncached, structlog.configure))
        yield


def _configure_uncached(configure: Callable[..., None], **how: Any) -> None:
    configure(**how | {"cache_logger_on_first_use": False})


@pytest.fixture(autouse=True)
def _logs_as_they_were() -> Iterator[None]:
    """What a test configured ends with it."""
    handlers = logging.getLogger().handlers[:]
    yield
    structlog.reset_defaults()
    logging.getLogger().handlers[:] = handlers


@pytest.fixture(scope="session")
def server_source(request: pytest.FixtureRequest) -> Literal["embedded", "system"]:
    """Which kind of servers this run uses."""
    kind: Literal["embedded", "system"] = request.config.getoption("--services")
    return kind


@pytest.fixture(scope="session")
def servers(server_source: Literal["embedded", "system"], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pair]:
    """PostgreSQL and Valkey (or Redis) of this test process."""
    pair = start_pair(server_source, tmp_path_factory.mktemp("servers"), durable=True)
    yield pair
    pair.stop()


@pytest.fixture(scope="session")
def template(servers: Pair) -> str:
    """A migrated database to be cloned."""
    with psycopg.connect(servers.owner_url, autocommit=True) as owner:
        owner.execute(f"CREATE DATABASE {TEMPLATE}")
    migrate.upgrade(in_database(servers.owner_url, TEMPLATE))
    return TEMPLATE


def in_database(url: str, name: str) -> str:
    """The same URL, another database."""
    address, query = url.split("?", 1) if "?" in url else (url, "")
    return address.rsplit("/", 1)[0] + f"/{name}" + (f"?{query}" if query else "")


@contextmanager
def copy_of(servers: Pair, source: str) -> Iterator[str]:
    """The owner's URL of a fresh copy of a database that nobody is in."""
    name = f"vote_{secrets.token_hex(6)}"
    with psycopg.connect(servers.owner_url, autocommit=True) as owner:
        owner.execute(f"CREATE DATABASE {name} TEMPLATE {source}")
        yield in_database(servers.owner_url, name)
    # The owner may not end everybody who is in it: a vacuum of the server's own, for one.
    with psycopg.connect(servers.superuser_url, autocommit=True) as superuser:
        superuser.execute(f"DROP DATABASE {name} WITH (FORCE)")


def emptied_log(servers: Pair) -> str:
    """The log's URL, with nothing in it."""
    with redis.Redis.from_url(servers.redis_url) as client:
        client.flushall()
        client.execute_command("FUNCTION", "FLUSH")
    return servers.redis_url


def environment_of(database_url: str, redis_url: str, folder: Path) -> dict[str, str]:
    """The settings as environment variables, for processes that a test starts."""
    return {
        "FLASK_SECRET_KEY": FLASK_SECRET,
        "JWT_SECRET": JWT_SECRET,
        "DATABASE_URL": database_url,
        "REDIS_URL": redis_url,
        "VOTE_HOME": str(folder / "home"),
        "WEB_CONCURRENCY": "2",
        "PATH": os.environ["PATH"],
        "PYTHONPATH": os.environ.get("PYTHONPATH", ""),  # where the faults of tests/faults are planted
    }


@pytest.fixture
def database_url(servers: Pair, template: str) -> Iterator[str]:
    """The owner's URL of a fresh database."""
    with copy_of(servers, template) as url:
        yield url


@pytest.fixture
def other_database_url(servers: Pair, template: str) -> Iterator[str]:
    """The owner's URL of the fresh database of another installation."""
    with copy_of(servers, template) as url:
        with psycopg.connect(url) as connection:
            connection.execute("UPDATE settings SET value = %s WHERE key = 'installation'", (secrets.token_hex(16),))
        yield url


@pytest.fixture
def redis_url(servers: Pair) -> str:
    """The log's URL, with nothing in it."""
    return emptied_log(servers)


@pytest.fixture
def environment(database_url: str, redis_url: str, tmp_path: Path) -> dict[str, str]:
    """The settings of the test as environment variables."""
    return environment_of(database_url, redis_url, tmp_path)


@pytest.fixture
def settings(environment: dict[str, str]) -> Settings:
    """The settings of the test."""
    return config.load(environment)


@pytest.fixture
def services(settings: Settings) -> Iterator[Services]:
    """What the web needs, opened."""
    opened = Services.from_settings(settings)
    opened.start()
    yield opened
    opened.close()


@pytest.fixture
def owner(settings: Settings) -> Iterator[Database]:
    """The database as its owner sees it."""
    changes = CacheInvalidator.from_settings(settings, installation_of(settings))
    db = Database(settings.database("owner"), size=4, name="vote tests", on_change=changes)
    yield db
    db.close()
    changes.close()


@pytest.fixture
def log(settings: Settings) -> Iterator[BallotLog]:
    """A client of the ballot log."""
    client = BallotLog(settings.log_url, settings.vote_shards, installation_of(settings))
    yield client
    client.close()


@pytest.fixture
def worker(settings: Settings) -> Iterator[Worker]:
    """A worker to be stepped by hand; every shard is ready."""
    one = Worker.from_settings(settings)
    one.prepare()
    one.step()
    with one.db.read() as tx:
        assert all(position.epoch for position in shard_positions.all_positions(tx).values())
    yield one
    one.close()


@pytest.fixture
def make_user(owner: Database) -> Callable[..., Account]:
    """Makes accounts: `make_user(username=…, role=…, password=…)`. Without a password nobody can log in, but fast."""

    def make(*, username: str | None = None, role: Any = "voter", password: str | None = None) -> Account:
        name = username or f"user-{secrets.token_hex(4)}"
        own_hash = PASSWORD_HASH if password is None else hash_password(password)
        with owner.transaction(by="tests") as tx:
            user_id = users.insert(tx, username=name, email=f"{name}@example.com", password_hash=own_hash, role=role)
            account = users.find(tx, user_id)
        assert account is not None
        return account

    return make


@pytest.fixture
def organiser(make_user: Callable[..., Account]) -> Person:
    """Somebody who may create competitions."""
    return make_user(role="organiser").person


@pytest.fixture
def make_competition(owner: Database, log: BallotLog, organiser: Person) -> Callable[..., Competition]:
    """Makes competitions, open at once and announced: `make_competition(options=["A", "B"], …)`."""

    def make(**fields: Any) -> Competition:
        wanted = {"name": "Which stage?", "options": ["River stage", "Hall stage"], "by": organiser, **fields}
        return competitions.create(owner, log, **wanted)

    return make


@pytest.fixture
def stack(environment: dict[str, str], tmp_path: Path) -> Iterator[Stack]:
    """The running system: two web processes, one worker, a fresh database and log."""
    with running(environment, tmp_path / "stack") as one:
        yield one


@pytest.fixture
def token_of() -> Callable[[Account], str]:
    """A token as a login would give it."""
    return lambda account: create_jwt_token(account.id, secret=JWT_SECRET)
