"""What only shows behind the front door: bodies in chunks, one request id in header and body, what is not served, lines."""

import json

import pytest

from tests.integration.web.asgi import Request, ask
from vote.config import Settings

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
    assert sum(json.loads(line)["path"].endswith(planted) for line in lines) == 3
    assert not any(character in line for line in lines for character in "\r\x1b\x00")
    assert {json.loads(line)["event"] for line in lines} == {"request"}
