"""The Flask app under test, logged-in accounts, and cheap passwords (`tests/unit/test_auth.py` pays for real ones)."""

import hashlib
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import pytest
from flask import Flask

from tests.casting import cast
from tests.integration.clients import ApiClient, Browser
from vote.actions import competitions as change
from vote.app import create_app
from vote.auth import create_jwt_token
from vote.ballotlog.log import BallotLog
from vote.config import Settings
from vote.db.pool import Database
from vote.db.users import Account
from vote.domain.competition import Competition
from vote.hash_process import HashProcess
from vote.services.container import Services
from vote.worker.worker import Worker

CHEAPER = 1_000  # times


@pytest.fixture(autouse=True, scope="package")
def _cheap_passwords() -> Iterator[None]:
    """Derive with a thousandth of the rounds, in this process: hashes are written and read as ever."""
    derive = hashlib.pbkdf2_hmac

    def cheap(name: str, password: bytes, salt: bytes, rounds: int) -> bytes:
        return derive(name, password, salt, -(-rounds // CHEAPER))

    def in_process(_process: HashProcess, password: bytes, salt: bytes, rounds: int) -> bytes:
        return cheap("sha256", password, salt, rounds)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(hashlib, "pbkdf2_hmac", cheap)
        patch.setattr(HashProcess, "pbkdf2", in_process)
        yield


@pytest.fixture
def app(services: Services) -> Flask:
    """The app, which tells unexpected errors as it does in production."""
    return create_app(services)


@pytest.fixture
def api(app: Flask) -> ApiClient:
    """A client without a token."""
    return ApiClient(app)


@pytest.fixture
def browser(app: Flask) -> Browser:
    """A browser that nobody is logged in with."""
    return Browser(app)


@pytest.fixture
def as_user(app: Flask, services: Services) -> Callable[[Account], ApiClient]:
    """A client with a token of this account."""

    def client(account: Account) -> ApiClient:
        return ApiClient(app, create_jwt_token(account.id, secret=services.settings.jwt_secret))

    return client


@pytest.fixture
def admin(as_user: Callable[[Account], ApiClient], make_user: Callable[..., Account]) -> ApiClient:
    """An admin's client."""
    return as_user(make_user(role="admin"))


@pytest.fixture
def voter(as_user: Callable[[Account], ApiClient], make_user: Callable[..., Account]) -> ApiClient:
    """A voter's client."""
    return as_user(make_user())


@pytest.fixture
def wiped(
    settings: Settings,
    log: BallotLog,
    worker: Worker,
    make_user: Callable[..., Account],
    make_competition: Callable[..., Competition],
) -> Competition:
    """An open competition with a recorded vote that lived through a loss of the log."""
    competition = make_competition()
    cast(settings, competition.id, make_user().id, "a")
    worker.step()
    log._call("FLUSHALL")
    worker.step()
    return competition


@pytest.fixture
def over_a_gap(owner: Database, log: BallotLog, worker: Worker, wiped: Competition) -> Competition:
    """The same, closing and drained: only an admin's word is missing."""
    change.close_voting(owner, log, wiped.id, by="tests")
    worker.step()
    return wiped


@pytest.fixture
def set_one_aside(owner: Database) -> Callable[[int], None]:
    """Sets a ballot of a competition aside, and an entry that nobody can read, with a choice in both."""

    def put(competition: int) -> None:
        with owner.transaction(by="tests") as tx:
            tx.execute(
                "INSERT INTO unmatched_ballots VALUES (gen_random_uuid(), %s, 4711, 'q', now(), 3, 'old', 17)",
                (competition,),
            )
            tx.execute(
                "INSERT INTO rejected_ballots VALUES (5, 'old', 18, 'ballot 4711 q', 'no such kind of entry: ''4711 q''')"
            )

    return put


@pytest.fixture
def audited(owner: Database) -> Callable[[str], list[tuple[str, Any, Any]]]:
    """Who changed which field of a table to what, oldest first."""

    def read(subject: str, fields: Iterable[str] = ("status", "closes_at", "reason")) -> list[tuple[str, Any, Any]]:
        with owner.read() as tx:
            rows = tx.execute(
                "SELECT actor, after FROM audit_log WHERE subject = %s ORDER BY id", (subject,)
            ).fetchall()
        return [(actor, name, after[name]) for actor, after in rows for name in fields if name in after]

    return read
