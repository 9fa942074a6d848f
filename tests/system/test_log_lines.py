"""The lines of the running system satisfy docs/logs.schema.json, also where clients send nonsense and processes die.

Whatever other tests start is checked too, when it has ended: `tests/stack.py:running`.
"""

from pathlib import Path

import psutil
import pytest

from tests import hostile_clients as strangers
from tests import log_schema
from tests.stack import Stack, running, wait_until

NONSENSE = (
    b"nonsense\r\n\r\n",
    b"GET /%C2%9B%E2%80%A8%7F HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n",
    b"GET /live/1 HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n",
    b"POST /vote/1 HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\nx\r\n",
    b"GET / HTTP/1.1\r\nHost: localhost\r\nX: " + b"a" * 40_000,
)


def test_every_line_satisfies_the_schema(stack: Stack) -> None:
    for data in NONSENSE:
        with strangers.connect(stack.port) as one:
            strangers.send_all(one, data)
    psutil.Process(stack.web_pid).children()[0].kill()
    wait_until(lambda: any(b"SIGKILL" in path.read_bytes() for path in stack.logs))

    assert all(log_schema.check(path) for path in stack.logs)


def test_a_line_that_does_not_is_found(stack: Stack, tmp_path: Path) -> None:
    copy = tmp_path / "copy.log"
    copy.write_bytes(stack.logs[0].read_bytes() + b'{"event": "logged in", "password": "hunter2"}\n')

    with pytest.raises(AssertionError, match=r"1 of \d+ lines of copy.log do not satisfy logs.schema.json"):
        log_schema.check(copy)


def test_each_part_says_when_it_starts_and_stops_and_with_which_settings(
    environment: dict[str, str], tmp_path: Path
) -> None:
    planted = "planted-secret-of-the-settings-1234"
    with running({**environment, "LIMIT_API_PER_S": "77", "FLASK_SECRET_KEY": planted}, tmp_path / "one") as stack:
        wait_until(lambda: [line["event"] for line in stack.lines()].count("started") == 2)

    for part, processes in (("web", 2), ("worker", 1)):
        lines = stack.lines(part)
        started = [line for line in lines if line["event"] == "started"]
        assert len(started) == processes
        for line in started:
            assert {"DATABASE_URL", "FLASK_SECRET_KEY", "LIMIT_API_PER_S"} <= set(line["settings"])
            assert "LIMIT_VOTES_BURST" not in line["settings"], "it has its default"
        assert [line["event"] for line in lines].count("stopped") == processes
        assert planted not in str(lines)
        assert environment["DATABASE_URL"] not in str(lines)


def test_statements_are_logged_with_their_request_when_asked_for(environment: dict[str, str], tmp_path: Path) -> None:
    with running({**environment, "LOG_QUERIES": "on", "LOG_SLOW_MS": "60000"}, tmp_path / "one") as stack:
        request_id = stack.get("/api/competitions").headers["X-Request-Id"]

    sent = [line for line in stack.lines() if line["event"] == "statement" and line.get("request_id") == request_id]
    assert sent
    assert all(line["ms"] >= 0 and line["kind"] in ("begin", "statement", "commit") for line in sent)
    assert any(line["statement"].startswith("competition_lists.") for line in sent), sent
    assert any(line["event"] == "statement" for line in stack.lines("worker"))
