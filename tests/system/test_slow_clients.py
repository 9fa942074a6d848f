"""Clients that are slow, send too much or never read, against the real server: cut off, and nobody else notices."""

import contextlib
import json
import socket
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from websocket import ABNF, create_connection

from tests.stack import Stack, running, wait_until
from vote.db.users import Account
from vote.domain.competition import Competition

HASTY_S, PATIENT_S = 1, 120
THREADS = 4
SLOW = 5 * THREADS  # of either process more than it has threads for pages
TOO_SLOW = b"HTTP/1.1 408 "
BODY = b'{"username": "ada"'


@pytest.fixture
def stack(environment: dict[str, str], tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Stack]:
    """The system with as much patience as the test asks for, and few threads."""
    few = {"CLIENT_TIMEOUT_S": str(request.param), "VOTE_PAGE_THREADS": str(THREADS)}
    with running(environment | few, tmp_path / "stack") as one:
        yield one


def send(stack: Stack, data: bytes, *, buffer: int | None = None) -> socket.socket:
    """A connection that has sent this."""
    one = socket.socket()
    if buffer is not None:
        one.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer)
    one.settimeout(20)
    one.connect(("127.0.0.1", stack.port))
    one.sendall(data)
    return one


def rest(one: socket.socket) -> bytes:
    """All that comes until the server ends the connection."""
    found = b""
    with contextlib.suppress(ConnectionError), one:
        while part := one.recv(65536):
            found += part
    return found


def head(path: str, more: str = "", *, length: int = 5000) -> bytes:
    """The head of a POST whose body does not follow."""
    start = f"POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
    return f"{start}Content-Length: {length}\r\n{more}\r\n".encode()


def cut_off(stack: Stack) -> dict[str, float]:
    """How many were cut off, by what was waited for."""
    lines = stack.get("/metrics").body.decode().splitlines()
    found = [line for line in lines if line.startswith("vote_cut_off_total{")]
    return {line.split('"')[1]: float(line.rpartition(" ")[2]) for line in found}


@pytest.mark.parametrize("stack", [HASTY_S], indirect=True)
def test_slow_clients_are_cut_off_and_nobody_else_notices(
    stack: Stack, make_competition: Callable[..., Competition]
) -> None:
    watcher = create_connection(f"ws://127.0.0.1:{stack.port}/live/{make_competition().id}", timeout=20)
    assert json.loads(watcher.recv())["total"] == 0
    silent = send(stack, b"")
    half_head = send(stack, b"GET / HTTP/1.1\r\nHost: local")
    second_head = send(stack, b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n")
    assert b"200 OK" in second_head.recv(65536)
    second_head.sendall(b"\r\n")  # no request, but the idle timer of the server has stopped for it
    half_bodies = [send(stack, head("/register") + BODY) for _ in range(SLOW)]
    half_vote = send(stack, head("/vote/1") + b'{"vote"')

    assert rest(silent).startswith(TOO_SLOW)
    assert rest(half_head).startswith(TOO_SLOW)
    assert b" 200 " not in rest(second_head)
    assert all(rest(one).startswith(TOO_SLOW) for one in [*half_bodies, half_vote])
    assert drip(send(stack, head("/register"))).startswith(TOO_SLOW)
    assert cut_off(stack) == {"head": 3, "body": SLOW + 2, "answer": 0}

    many = b"GET /api/openapi.json HTTP/1.1\r\nHost: localhost\r\n\r\n" * 200  # some 20 MB of answers
    reads_nothing = send(stack, many, buffer=4096)
    wait_until(lambda: cut_off(stack).get("answer") == 1, what="who does not read is cut off")
    rest(reads_nothing)

    watcher.ping("still here, long after everybody else would have been cut off")
    opcodes = iter(lambda: watcher.recv_data_frame(control_frame=True)[0], ABNF.OPCODE_PONG)
    assert set(opcodes) <= {ABNF.OPCODE_PING}, "its own pings only"
    watcher.close()


def drip(one: socket.socket) -> bytes:
    """Send a byte now and then until an answer comes."""
    one.settimeout(0.1)
    answer = b""

    def is_over() -> bool:
        nonlocal answer
        with contextlib.suppress(TimeoutError):
            one.sendall(b" ")
            answer = one.recv(1000)
        return bool(answer)

    wait_until(is_over, what="a dripping body is cut off")
    one.close()
    return answer


@pytest.mark.parametrize("stack", [PATIENT_S], indirect=True)
def test_bodies_on_their_way_hold_no_thread_and_what_is_too_large_is_said_to_be(
    stack: Stack, make_user: Callable[..., Account], token_of: Callable[[Account], str]
) -> None:
    who = f"Authorization: Bearer {token_of(make_user(role='organiser'))}\r\n"
    # Larger than what is held before anything is begun for it (`express_protocol.py`).
    half = head("/api/admin/competitions", who, length=40_000) + BODY
    on_their_way = [send(stack, half) for _ in range(SLOW)]
    for _ in stack.web_processes_alone():
        assert stack.get("/login").status == 200, "threads for pages are free"
    for one in on_their_way:
        one.close()

    long_head = b"GET /health HTTP/1.1\r\nHost: localhost\r\n" + b"X-Much: " + b"a" * 40_000
    many = b"".join(b"X-%d: %s\r\n" % (number, b"a" * 1000) for number in range(40))
    for data in (long_head, long_head + b"\r\n\r\n", b"GET /health HTTP/1.1\r\n" + many + b"\r\n"):
        assert rest(send(stack, data)).startswith(b"HTTP/1.1 431 ")
    with send(stack, b"GET /health HTTP/1.1\r\nHost: a\r\nX: " + b"a" * 20_000 + b"\r\n\r\n") as within:
        assert within.recv(1000).startswith(b"HTTP/1.1 200 ")

    html = {"Accept": "text/html", "Origin": stack.url}
    for path, most in (("/register", 64 * 1024), ("/vote/1", 16 * 1024)):
        told = stack.request("POST", path, body=b"{" + b" " * most + b"}")
        assert (told.status, told.json["status"]) == (413, 413)
        assert told.headers["Content-Type"] == "application/problem+json"
    for path in ("/register", "/vote/1"):
        page = stack.request("POST", path, body=b" " * 70_000, content_type="text/plain", headers=html)
        assert page.status == 413
        assert page.headers["Content-Type"].startswith("text/html")
    deep = b'{"username": ' + b"[" * 20_000 + b"]" * 20_000 + b"}"
    assert stack.request("POST", "/register", body=deep).status in (400, 422)
    assert stack.request("POST", "/vote/1", body=b"[" * 8000 + b"]" * 8000).status == 422
