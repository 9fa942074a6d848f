"""The ground of a run: durable servers of its own, migrated databases, voters, competitions. All of it goes afterwards.

Two databases with the same voters: one for the system, one for the plain INSERTs that it is compared with.
"""

import contextlib
import os
import secrets
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psycopg

from bench.voters import Crowd
from tests.servers import Pair, start_pair
from vote import config
from vote.actions import competitions
from vote.ballotlog.log import BallotLog
from vote.config import Settings
from vote.db import installation, migrate, synthetic_voters, users
from vote.db.pool import Database
from vote.domain.installation import Installation
from vote.domain.person import Person

ROOT = Path(__file__).parent.parent
WEB_PROCESSES = 2
PLAIN = "vote_plain"
FIRST_VOTER = 1_000_001
NO_PASSWORD = "pbkdf2:sha256:600000$bench$" + "00" * 32  # nobody logs in with it
PARTS = ("web", "worker", "reports", "backup")


@dataclass(frozen=True)
class Ground:
    """What every measurement stands on. `plain_url` is the owner's URL of the second database."""

    pair: Pair
    folder: Path
    environment: dict[str, str]
    settings: Settings
    owner: Database
    log: BallotLog
    organiser: Person
    crowd: Crowd
    plain_url: str

    def new_competition(self) -> int:
        """An open competition, announced to the log."""
        options = ["River stage", "Hall stage"]
        return competitions.create(self.owner, self.log, by=self.organiser, name="Which stage?", options=options).id


@contextlib.contextmanager
def prepared(voters: int, *, shared_competitions: int) -> Iterator[tuple[Ground, list[int]]]:
    """The ground, and competitions that both databases have."""
    (ROOT / "build").mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(dir=ROOT / "build", prefix="bench-") as name:
        pair = start_pair("embedded", Path(name) / "servers", durable=True)
        try:
            ground, shared = _furnish(pair, Path(name), voters, shared_competitions)
            with contextlib.closing(ground.owner), contextlib.closing(ground.log):
                yield ground, shared
        finally:
            pair.stop()


def in_database(url: str, name: str) -> str:
    """The same URL, another database."""
    address, _, query = url.partition("?")
    return f"{address.rpartition('/')[0]}/{name}?{query}"


def _furnish(pair: Pair, folder: Path, voters: int, shared_competitions: int) -> tuple[Ground, list[int]]:
    migrate.upgrade(pair.owner_url)
    pair.let_in(*(f"vote_{part}" for part in PARTS))
    environment = _environment(pair, folder)
    settings = config.load(environment)
    owner = Database(settings.database("owner"), size=2, name="vote bench")
    with owner.transaction(by="bench") as tx:
        fields = {"username": "organiser", "email": "organiser@example.com", "password_hash": NO_PASSWORD}
        organiser = Person(users.insert(tx, role="organiser", **fields), "organiser", "organiser")
    crowd = Crowd(_insert_voters(pair, voters), voters, settings.jwt_secret, settings.flask_secret_key)
    log = BallotLog(settings.log_url, settings.vote_shards, Installation())
    installation.learn(owner, log.installation)
    log.load_library()
    plain_url = in_database(pair.owner_url, PLAIN)
    ground = Ground(pair, folder, environment, settings, owner, log, organiser, crowd, plain_url)
    shared = [ground.new_competition() for _ in range(shared_competitions)]
    owner.close()  # a database that is copied must have no other connection
    _copy_database(pair)
    reopened = Database(settings.database("owner"), size=2, name="vote bench")
    return Ground(pair, folder, environment, settings, reopened, log, organiser, crowd, plain_url), shared


def _environment(pair: Pair, folder: Path) -> dict[str, str]:
    """What the parts are started with: each with its own role, as `vote up` does it."""
    urls = {f"DATABASE_URL_{part.upper()}": pair.url(f"vote_{part}") for part in PARTS}
    return urls | {
        "DATABASE_URL": pair.owner_url,
        "REDIS_URL": pair.redis_url,
        "FLASK_SECRET_KEY": secrets.token_urlsafe(32),
        "JWT_SECRET": secrets.token_urlsafe(32),
        "VOTE_HOME": str(folder / "home"),
        "WEB_CONCURRENCY": str(WEB_PROCESSES),
        "PATH": os.environ["PATH"],
    }


def _insert_voters(pair: Pair, count: int) -> int:
    """Make voters; the audit of each is left out, which takes a superuser. Returns the first id.

    Numbers in a row, unlike those of real accounts: a crowd is then a range.
    """
    with psycopg.connect(pair.superuser_url, autocommit=True) as connection:
        connection.execute("SET session_replication_role = replica")
        synthetic_voters.insert(connection, prefix="voter", count=count, first_id=FIRST_VOTER)
        connection.execute("VACUUM ANALYZE users")
    return FIRST_VOTER


def _copy_database(pair: Pair) -> None:
    with psycopg.connect(in_database(pair.owner_url, "postgres"), autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {PLAIN} TEMPLATE vote")
    for name in ("vote", PLAIN):
        with psycopg.connect(in_database(pair.superuser_url, name), autocommit=True) as connection:
            connection.execute("VACUUM ANALYZE")
