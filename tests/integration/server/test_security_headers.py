"""What every answer carries, whoever gives it: pages, files, errors, probes, refused sockets; which methods there are."""

from collections.abc import Callable, Iterator

import pytest
from flask import Flask

from tests.integration.asgi import Answered, Request, ask
from tests.integration.clients import ApiClient
from vote.config import Settings
from vote.db import competition_lists
from vote.db.pool import Database
from vote.db.users import Account
from vote.domain.competition import Competition
from vote.worker.worker import Worker

MakeCompetition = Callable[..., Competition]
AsUser = Callable[[Account], ApiClient]

ALWAYS = {
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
}
POLICY = {
    "default-src": "'none'",
    "object-src": None,  # default-src 'none' speaks for it
    "base-uri": "'none'",
    "form-action": "'self'",
    "frame-ancestors": "'none'",
    "script-src": "'self'",
    "style-src": "'self'",
}
HTTPS = {"public_url": "https://vote.example"}


def addresses(app: Flask, competition: int, user: int) -> Iterator[str]:
    """One address for each GET route."""
    known = {
        "competition_id": competition,
        "user_id": user,
        "gap_id": 1,
        "code": "AAAA-AAAA-AAAA-AAAA",
        "filename": "vote.css",
    }
    with app.test_request_context():
        for url in app.url_map.iter_rules():
            if "GET" in (url.methods or ()):
                steps = {"name": "disable" if "people" in url.rule else "close"}
                yield app.url_for(url.endpoint, **{name: ({**known, **steps})[name] for name in url.arguments})


@pytest.fixture
def asked(
    app: Flask, make_competition: MakeCompetition, make_user: Callable[..., Account], as_user: AsUser
) -> list[Request]:
    """Every address by GET and HEAD, as an admin and as nobody, and everything that goes wrong."""
    competition = make_competition().id
    account = make_user(role="admin")
    admin = {"Authorization": as_user(account).headers["Authorization"]}
    every = [*addresses(app, competition, make_user().id), "/health", "/ready", "/metrics", f"/vote/{competition}"]
    vote = f"/vote/{competition}"
    return [
        *(Request(method, path, headers) for path in every for method in ("GET", "HEAD") for headers in (admin, {})),
        Request("GET", "/nowhere", {"Accept": "text/html"}),
        Request("GET", "/static/nothing.js"),
        Request("GET", "/api/nowhere"),
        Request("GET", "/vote/99999999999999999999"),
        Request("POST", "/vote/9999999999", admin, b"vote=a"),
        Request("POST", vote, {**admin, "Content-Type": "application/json"}, b'{"vote":"a"}'),
        Request("POST", vote, {}, b"vote=a"),
        Request("POST", vote, {"Cookie": "x=y"}, b"vote=a"),
        Request("POST", vote, admin, b"a" * 20_000),
        Request("POST", "/login", {"Content-Type": "application/json"}, b"a" * 70_000),
        Request("POST", "/login", {"Origin": "https://evil.example"}, b"{}"),
        Request("POST", "/login", {"Content-Type": "text/xml"}, b"<a/>"),
        Request("POST", "/login", {}, b""),
        *(
            Request(method, path, admin)
            for method in ("PUT", "TRACE", "CONNECT", "OPTIONS", "QUATSCH")
            for path in (
                vote,
                "/",
                "/login",
                "/health",
                "/ready",
                "/metrics",
                "/api/me",
                "/static/vote.css",
                "/nowhere",
            )
        ),
        Request("WS", "/live/0"),
        Request("WS", f"/live/{competition}", {"Origin": "https://evil.example"}),
        Request("WS", f"/live/{competition}", {"Authorization": "Bearer x"}),
    ]


@pytest.fixture
def answers(settings: Settings, worker: Worker, asked: list[Request]) -> list[Answered]:
    return ask(settings.model_copy(update=HTTPS), asked)


def test_every_answer_carries_the_headers(
    asked: list[Request], answers: list[Answered], subtests: pytest.Subtests
) -> None:
    assert {answer.status for answer in answers} >= {200, 202, 303, 401, 403, 404, 405, 413, 415, 422}

    for request, answer in zip(asked, answers, strict=True):
        with subtests.test(f"{request.method} {request.path} → {answer.status}"):
            assert {name: answer.headers.get(name) for name in ALWAYS} == ALWAYS
            assert answer.headers["strict-transport-security"] == "max-age=63072000; includeSubDomains"
            assert {"camera=()", "microphone=()", "geolocation=()"} <= set(
                answer.headers["permissions-policy"].split(", ")
            )
            policy = dict(part.partition(" ")[::2] for part in answer.headers["content-security-policy"].split("; "))
            assert {name: policy.get(name) for name in POLICY} == POLICY
            assert "unsafe" not in answer.headers["content-security-policy"]
            assert "server" not in answer.headers
            assert "x-powered-by" not in answer.headers
            assert "access-control-allow-origin" not in answer.headers
            if answer.body:
                assert "content-type" in answer.headers
                if answer.headers["content-type"].startswith("text/"):
                    assert "charset=utf-8" in answer.headers["content-type"]
            if not request.path.startswith("/static/"):
                assert "no-store" in answer.headers["cache-control"] or "no-cache" in answer.headers["cache-control"]


def test_other_methods_are_told_which_there_are(
    asked: list[Request], answers: list[Answered], subtests: pytest.Subtests
) -> None:
    for request, answer in zip(asked, answers, strict=True):
        if request.method in ("PUT", "TRACE", "CONNECT", "QUATSCH") and request.path != "/nowhere":
            with subtests.test(f"{request.method} {request.path}"):
                assert answer.status == 405
                allowed = set(answer.headers["allow"].split(", "))
                assert {"GET", "HEAD", "OPTIONS"} <= allowed
                assert ("POST" in allowed) == (request.path.startswith("/vote/") or request.path == "/login")
                assert b"Bearer" not in answer.body, "TRACE gives back nothing that was sent"
        if request.method == "OPTIONS" and request.path != "/nowhere":
            with subtests.test(f"OPTIONS {request.path}"):
                assert answer.status in (200, 204)
                assert {"GET", "HEAD", "OPTIONS"} <= set(answer.headers["allow"].split(", "))


def test_what_nobody_foresaw_carries_them_too(
    settings: Settings, redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_args: object, **_more: object) -> None:
        raise RuntimeError

    monkeypatch.setattr(competition_lists, "listed", fail)
    monkeypatch.setattr("vote.casting.endpoint.parse", fail)

    answers = ask(settings, [Request("GET", "/"), Request("POST", "/vote/1", {}, b"vote=a")])

    for answer in answers:
        assert answer.status == 500
        assert {name: answer.headers.get(name) for name in ALWAYS} == ALWAYS
        assert "content-security-policy" in answer.headers
        assert "strict-transport-security" not in answer.headers, "not over plain HTTP in development"


def test_reading_changes_nothing(settings: Settings, redis_url: str, asked: list[Request], owner: Database) -> None:
    """Every route by GET and HEAD, as an admin: the whole database is the same before and after."""
    before = whole(owner)

    ask(settings, [request for request in asked if request.method in ("GET", "HEAD", "OPTIONS", "TRACE", "WS")])

    assert whole(owner) == before


def whole(owner: Database) -> dict[str, str]:
    """A fingerprint of each table."""
    with owner.read() as tx:
        tables = [row[0] for row in tx.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")]
        return {
            name: tx.execute(
                f"SELECT coalesce(md5(string_agg(t::text, '|' ORDER BY t::text)), '') FROM {name} t"
            ).fetchall()[0][0]
            for name in tables
        }


# --- pages of other sites (CORS) -------------------------------------------------------------------------------------------
FRIEND = "https://app.example"
STRANGERS = [
    "https://evil.example", "null", "*", "https://app.example.evil.example", "http://app.example", "https://app.example:8443",
    "https://sub.app.example", "",
    "HTTPS://APP.EXAMPLE", "https://app.example/", "https://app.example, https://evil.example",
]  # fmt: skip
ASKING = {"Access-Control-Request-Method": "PATCH", "Access-Control-Request-Headers": "authorization"}


def allowed(answer: Answered) -> dict[str, str]:
    return {name: value for name, value in answer.headers.items() if name.startswith("access-control-")}


def test_only_listed_origins_read_the_api_and_never_with_cookies(
    settings: Settings, redis_url: str, make_user: Callable[..., Account], as_user: AsUser
) -> None:
    bearer = as_user(make_user()).headers
    door = settings.model_copy(update={"cors_origins": (FRIEND, "https://other.example:8443")})
    mine = [
        Request("OPTIONS", "/api/me", {"Origin": FRIEND, **ASKING}),
        Request("GET", "/api/me", {"Origin": FRIEND, "Sec-Fetch-Site": "cross-site", **bearer}),
        Request("GET", "/api/me", {"Origin": FRIEND}),
        Request("DELETE", "/api/me", {"Origin": FRIEND, "Sec-Fetch-Site": "cross-site", "Cookie": "__Host-session=x"}),
        Request("GET", "/api/me", bearer),
    ]
    elsewhere = [
        Request(method, path, {"Origin": FRIEND, **ASKING, **bearer})
        for method in ("OPTIONS", "GET", "POST")
        for path in ("/", "/login", "/account", "/vote/1", "/admin", "/health", "/static/vote.css", "/apix")
    ]
    strange = [
        Request(method, "/api/competitions", {"Origin": origin, **ASKING})
        for origin in STRANGERS
        for method in ("OPTIONS", "GET")
    ]

    first, read, anonymous, forged, own, *rest = ask(door, [*mine, *elsewhere, *strange])

    assert first.status == 204
    assert allowed(first) == {
        "access-control-allow-origin": FRIEND,
        "access-control-allow-methods": "GET, HEAD, POST, PATCH, DELETE",
        "access-control-allow-headers": "Authorization, Content-Type, If-Match, If-None-Match",
        "access-control-max-age": "600",
    }
    assert (read.status, read.headers["access-control-allow-origin"], read.headers["vary"]) == (200, FRIEND, "Origin")
    assert "access-control-allow-credentials" not in read.headers
    assert (anonymous.status, anonymous.headers["access-control-allow-origin"]) == (401, FRIEND)
    assert forged.status == 403, "cookies count for our own pages only"
    assert (own.headers["vary"], allowed(own)) == ("Origin", {})
    assert [allowed(answer) for answer in rest] == [{}] * len(rest)


def test_without_a_list_no_page_of_another_site_reads_anything(settings: Settings, redis_url: str) -> None:
    answers = ask(
        settings,
        [Request(method, "/api/competitions", {"Origin": FRIEND, **ASKING}) for method in ("OPTIONS", "GET", "POST")],
    )

    assert [allowed(answer) for answer in answers] == [{}] * 3
