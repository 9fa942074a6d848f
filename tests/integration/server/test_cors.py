"""Forged forms, against the table of Go's CrossOriginProtection: on a form of Flask and on the front door's ballot box.

Go's rule takes fetch metadata first, then Origin, and lets pass what has neither. Ours also wants the session's token in
all that rests on a cookie, believes fetch metadata over any list, and exempts no address. Rows where that makes a
difference say so. The rows on how an origin is written are in tests/unit/test_config.py, for CORS_ORIGINS.
"""

import time
from collections.abc import Callable
from typing import NamedTuple

import pytest

from tests.integration.asgi import Request, ask
from vote.config import Settings
from vote.db.users import Account
from vote.domain.competition import Competition
from vote.identity import csrf, sessions
from vote.worker.worker import Worker

HOST = "https://localhost"
TRUSTED = "https://trusted.example"  # PUBLIC_URL
EVIL = "https://attacker.example"
PASSES, BLOCKED = True, False


class Row(NamedTuple):
    """A request of a logged-in browser with the right token, and whether it may pass."""

    name: str
    passes: bool
    site: str | None = None
    origin: str | None = None
    method: str = "POST"


GO = [
    # by fetch metadata
    Row("same-origin", PASSES, "same-origin"),
    Row("none", PASSES, "none"),
    Row("cross-site", BLOCKED, "cross-site"),
    Row("same-site", BLOCKED, "same-site"),
    # without
    Row("no header with no origin", PASSES),
    Row("no header with matching origin", PASSES, None, HOST),
    Row("no header with mismatched origin", BLOCKED, None, EVIL),
    Row("no header with null origin", BLOCKED, None, "null"),
    # safe methods
    Row("GET", PASSES, "cross-site", method="GET"),
    Row("HEAD", PASSES, "cross-site", method="HEAD"),
    Row("OPTIONS", PASSES, "cross-site", method="OPTIONS"),
    Row("PUT", BLOCKED, "cross-site", method="PUT"),
    # a trusted origin
    Row("trusted origin without sec-fetch-site", PASSES, None, TRUSTED),
    Row("trusted origin with cross-site (Go: passes; here the browser's word stands)", BLOCKED, "cross-site", TRUSTED),
    Row("untrusted origin without sec-fetch-site", BLOCKED, None, EVIL),
    Row("untrusted origin with cross-site", BLOCKED, "cross-site", EVIL),
    # over a server
    Row("cross-site with origin", BLOCKED, "cross-site", EVIL),
    Row("same-origin without origin", PASSES, "same-origin"),
    Row("origin matches host", PASSES, None, HOST),
    Row("trusted origin", PASSES, None, TRUSTED),
    Row("untrusted origin", BLOCKED, None, EVIL),
    Row("attacker's origin where Go has a bypass", BLOCKED, None, EVIL),
]
MORE = [
    Row("same-origin with an odd origin", PASSES, "same-origin", EVIL),
    Row("an unknown word", BLOCKED, "Same-Origin"),
    Row("empty", BLOCKED, ""),
    Row("upper case origin", PASSES, None, "HTTPS://LOCALHOST"),
    *(
        Row(f"origin {text}", BLOCKED, None, text)
        for text in (
            "https://localhost.attacker.example", "https://attackerlocalhost", "https://localhost:8443", "https://[",
            "https://[::1", "https://localhost@attacker.example", "https://attacker.example/localhost", "localhost", "//",
            "https://localhost, https://attacker.example", "", "https://localhost/", "ftp://localhost",
        )
    ),
]  # fmt: skip


class Visitor:
    """Makes the requests of a browser that somebody is logged in with, each time in a session of its own."""

    def __init__(self, settings: Settings, user_id: int) -> None:
        self._settings, self._user_id = settings, user_id

    def request(self, row: Row, path: str, *, token: bool = True) -> Request:
        session: sessions.Session = {}
        sessions.begin(session, self._user_id, now=time.time())
        given = csrf.csrf_token(csrf.keys_of(self._settings)[0], session["sid"]) if token else ""
        form = f"vote=a&csrf_token={given}"
        headers = {
            "Cookie": sessions.SessionCookie(self._settings).write(session).partition(";")[0],
            "Content-Type": "application/x-www-form-urlencoded",
            "Accept": "text/html",
        }
        if row.site is not None:
            headers["Sec-Fetch-Site"] = row.site
        if row.origin is not None:
            headers["Origin"] = row.origin
        return Request(row.method, path, headers, form.encode() if row.method in ("POST", "PUT") else b"")


@pytest.fixture
def public(settings: Settings) -> Settings:
    return settings.model_copy(update={"public_url": TRUSTED})


@pytest.fixture
def visitor(public: Settings, make_user: Callable[..., Account]) -> Visitor:
    return Visitor(public, make_user(role="admin").id)


def blocked(status: int, row: Row) -> bool:
    """403; a method that is not there may say so instead."""
    return status == 403 or (row.method == "PUT" and status == 405)


@pytest.mark.parametrize("where", ["form", "ballot box"])
def test_the_table(
    public: Settings,
    visitor: Visitor,
    worker: Worker,
    make_competition: Callable[..., Competition],
    where: str,
    subtests: pytest.Subtests,
) -> None:
    number = make_competition().id
    path = f"/vote/{number}" if where == "ballot box" else "/logout"
    rows = GO + MORE
    safe = "/account" if where == "form" else path
    requests = [visitor.request(row, path if row.method in ("POST", "PUT") else safe) for row in rows]

    for row, answer in zip(rows, ask(public, requests), strict=True):
        with subtests.test(row.name):
            assert blocked(answer.status, row) is not row.passes
            assert row.passes is (answer.status in (200, 303)), answer.status
            if answer.status == 303:
                assert not answer.headers["location"].startswith("/login")


@pytest.mark.parametrize("where", ["form", "ballot box"])
def test_the_token_is_needed_however_good_the_rest_is(
    public: Settings,
    visitor: Visitor,
    worker: Worker,
    make_competition: Callable[..., Competition],
    where: str,
) -> None:
    path = f"/vote/{make_competition().id}" if where == "ballot box" else "/logout"
    rows = [row for row in GO + MORE if row.passes and row.method == "POST"]

    answers = ask(public, [visitor.request(row, path, token=False) for row in rows])

    assert [answer.status for answer in answers] == [403] * len(rows)


FORMS = [
    "/login", "/register", "/logout", "/account/password", "/account/logout-everywhere", "/account/delete",
    "/admin/competitions", "/admin/people/1/disable", "/api/admin/competitions", "/vote/1",
]  # fmt: skip


def test_no_address_is_exempt(public: Settings, visitor: Visitor, subtests: pytest.Subtests, redis_url: str) -> None:
    """Go's rows on paths that bypass the protection: here are none, whatever the address looks like."""
    for path in FORMS:
        rows = [Row("cross-site", BLOCKED, "cross-site", EVIL), Row("by origin", BLOCKED, None, EVIL)]
        with subtests.test(path):
            answers = ask(public, [visitor.request(row, path) for row in rows])

            assert [answer.status for answer in answers] == [403, 403]
