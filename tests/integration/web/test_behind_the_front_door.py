"""What only shows behind the front door: bodies in chunks, one request id in header and body, what is not served, lines."""

import json
from typing import Any

import pytest
from flask import Flask

from tests.integration.asgi import Request, ask
from tests.log_schema import wrong_lines
from vote.asgi import HASHING
from vote.config import Settings
from vote.server.concurrency_limit import ConcurrencyLimit
from vote.web.access import LOGGED_IN, PUBLIC, UNASKED, table_of

JSON = {"Content-Type": "application/json"}
PERSON = {"username": "ada", "email": "ada@example.com", "password": "Pass123!", "confirm_password": "Pass123!"}


def test_a_body_in_chunks_is_read_and_limited(settings: Settings, redis_url: str) -> None:
    good = Request("POST", "/register", JSON, json.dumps(PERSON).encode(), chunked=True)
    huge = Request("POST", "/register", JSON, b'{"username": "' + b"a" * 100_000 + b'"}', chunked=True)

    first, second = ask(settings, [good, huge])

    assert first.status == 201, first.body
    assert second.status == 413
    assert json.loads(second.body)["status"] == 413


def test_header_and_body_quote_the_same_id(settings: Settings, redis_url: str) -> None:
    [answer] = ask(settings, [Request("GET", "/nothing", {"X-Request-ID": "theirs"})])

    assert json.loads(answer.body)["request_id"] == answer.headers["x-request-id"]
    assert answer.headers["x-request-id"] != "theirs"


def test_who_finds_no_place_before_the_hasher_is_told_at_the_door_and_pages_go_on(
    settings: Settings, redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Flask never hears of them: a refusal that is asked for again at once would cost votes more than the hashing."""

    def none_for_passwords(places: int, **more: Any) -> ConcurrencyLimit:
        return ConcurrencyLimit(0 if "refusal" in more else places, **more)

    monkeypatch.setattr("vote.asgi.ConcurrencyLimit", none_for_passwords)
    monkeypatch.setattr("vote.asgi.LOGIN_WAIT_S", 0.01)
    as_page = {"Accept": "text/html", "Sec-Fetch-Site": "same-origin", "Cookie": "session=x"}

    *refused, page, form = ask(
        settings,
        [Request("POST", path, JSON, b"{}") for path in ("/login", "/register", "/reset")]
        + [Request("POST", "/login", as_page), Request("GET", "/login", as_page)],
    )

    assert {(answer.status, answer.headers["retry-after"]) for answer in (*refused, page)} == {(503, "3")}
    assert "Many people are logging in" in json.loads(refused[0].body)["detail"]
    assert b"Many people are logging in" in page.body
    assert form.status == 200


def test_what_waits_for_the_hasher_at_the_door_are_routes_for_strangers_or_for_oneself(app: Flask) -> None:
    door, table = app.url_map.bind("vote.example"), table_of(app)

    rules = {table[door.match(path, method)[0]] for method, path in HASHING}

    assert rules <= {UNASKED, PUBLIC, LOGGED_IN}


NOT_SERVED = [
    "/.git/config", "/.git/HEAD", "/static/.git/config", "/.env", "/.vote/secrets", "/static/", "/static", "/static/js/",
    "/static/../app.py", "/static/js/../../app.py", "/static/..%2fapp.py", "/static//etc/passwd", "/etc/passwd",
    "/vote/app.py", "/console", "/debug", "/server-status", "/robots.txt~", "/requirements.txt", "/openapi.json",
]  # fmt: skip


def test_nothing_but_its_own_files_is_served(settings: Settings, redis_url: str) -> None:
    """No folder of a version control, no list of a folder, no file beside the static ones, no debugger."""
    answers = ask(settings, [Request("GET", path) for path in NOT_SERVED])

    assert {path: answer.status for path, answer in zip(NOT_SERVED, answers, strict=True)} == dict.fromkeys(
        NOT_SERVED, 404
    )


def test_a_line_of_the_log_stays_one_line(
    settings: Settings, redis_url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    planted = 'nowhere\r\n{"event": "forged"}\n\x1b[2J\u2028\x00'

    ask(
        settings, [Request("GET", f"/{planted}"), Request("GET", f"/live/{planted}"), Request("WS", f"/live/{planted}")]
    )

    lines = [line for line in capsys.readouterr().out.split("\n") if line]
    assert list(wrong_lines(lines)) == []
    told = [json.loads(line) for line in lines]
    assert [line["path"] for line in told if line["event"] == "request"] == ["/-", "/live/-", "/live/-"]
    assert {line["event"] for line in told} == {"started", "request", "stopped"}
