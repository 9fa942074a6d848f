"""The Flask app under test, its clients, and people who are logged in."""

import re
import time
from collections.abc import Callable, Iterable
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from tests.casting import cast
from vote.actions import competitions as change
from vote.app import create_app
from vote.auth import create_jwt_token
from vote.ballotlog.log import BallotLog
from vote.config import Settings
from vote.db.pool import Database
from vote.db.users import Account
from vote.domain.competition import Competition
from vote.edge import sessions
from vote.edge.parts import Parts
from vote.worker.worker import Worker

PASSWORD = "Pass123!"
HTTPS = "https://localhost"  # cookies are Secure
CSRF = re.compile(r'name="csrf_token" value="([0-9a-f]+)"')


class ApiClient:
    """A client that is no browser: no cookies, no Origin; with a token when it has one."""

    def __init__(self, app: Flask, token: str | None = None) -> None:
        self.app = app
        self._client = app.test_client(use_cookies=False)
        self.headers = {"Authorization": f"Bearer {token}"} if token else {}

    def __call__(self, method: str, path: str, headers: dict[str, str] | None = None, **more: Any) -> TestResponse:
        return self._client.open(
            path, method=method, base_url=HTTPS, headers={**self.headers, **(headers or {})}, **more
        )

    def get(self, path: str, **more: Any) -> TestResponse:
        return self("GET", path, **more)

    def post(self, path: str, json: Any = None, **more: Any) -> TestResponse:
        return self("POST", path, json=json, **more)

    def patch(self, path: str, json: Any = None, **more: Any) -> TestResponse:
        return self("PATCH", path, json=json, **more)

    def delete(self, path: str, **more: Any) -> TestResponse:
        return self("DELETE", path, **more)


class Browser:
    """A client with cookies and fetch metadata that sends the token of the form it has loaded."""

    def __init__(self, app: Flask) -> None:
        self.client: FlaskClient = app.test_client()
        self.headers = {"Sec-Fetch-Site": "same-origin", "Accept": "text/html,*/*"}

    def get(self, path: str, **more: Any) -> TestResponse:
        return self.client.get(path, base_url=HTTPS, headers=self.headers, **more)

    def send(self, path: str, data: dict[str, Any], headers: dict[str, str] | None = None) -> TestResponse:
        """Send a form as it is, with no token added."""
        return self.client.post(path, base_url=HTTPS, data=data, headers={**self.headers, **(headers or {})})

    def submit(self, page: str, path: str, **fields: Any) -> TestResponse:
        """Load a page and send one of its forms."""
        return self.send(path, {"csrf_token": self.token_of(page), **fields})

    def token_of(self, page: str) -> str:
        """The token in the first form of a page."""
        found = CSRF.search(self.get(page).text)
        assert found is not None, f"{page} has no form"
        return found[1]

    def log_in(self, account: Account, password: str = PASSWORD) -> None:
        answer = self.submit("/login", "/login", username=account.username, password=password)
        assert answer.status_code == 303

    def be(self, account: Account, settings: Settings) -> None:
        """Have the session that a login would begin, without waiting for a password to be hashed."""
        session: dict[str, Any] = {}
        sessions.begin(session, account.id, now=time.time())
        name, _, value = sessions.SessionCookie(settings).write(session).partition(";")[0].partition("=")
        self.client.set_cookie(name, value, secure=True)


def wait_until(condition: Callable[[], bool], *, seconds: float) -> None:
    """Return when the condition holds. Fails after `seconds`."""
    began = time.monotonic()
    while not condition():
        assert time.monotonic() - began < seconds, "it did not happen in time"


@pytest.fixture
def app(parts: Parts) -> Flask:
    """The app, which tells unexpected errors as it does in production."""
    return create_app(parts)


@pytest.fixture
def api(app: Flask) -> ApiClient:
    """A client without a token."""
    return ApiClient(app)


@pytest.fixture
def browser(app: Flask) -> Browser:
    """A browser that nobody is logged in with."""
    return Browser(app)


@pytest.fixture
def as_user(app: Flask, parts: Parts) -> Callable[[Account], ApiClient]:
    """A client with a token of this account."""

    def client(account: Account) -> ApiClient:
        return ApiClient(app, create_jwt_token(account.id, secret=parts.settings.jwt_secret))

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
