"""Each limit of `vote/stranger_limits.py` at the running server: what it allows is served, one more is answered as it says.

One web process, so that figures of a process can be reached exactly. Limits that no test can reach this way, such as
25,000 connections, name the test that reaches them otherwise.
"""

import contextlib
import json
import secrets
from collections.abc import Callable, Iterator
from typing import NamedTuple
from urllib.parse import urlencode

import pytest
from websocket import ABNF, WebSocket, WebSocketBadStatusException, create_connection

from tests import strangers
from tests.module_wide import database_url, environment, redis_url
from tests.stack import Stack, running, wait_until
from tests.unit.tree import ROOT
from vote import stranger_limits as limits
from vote.db.users import Account
from vote.domain.competition import Competition

__all__ = ["database_url", "environment", "redis_url"]

LOW = {
    "WEB_CONCURRENCY": "1",
    "LIMIT_SOCKETS_PER_ACCOUNT": "3",
    "LIMIT_LOGINS_PER_MINUTE": "2",
    "LIMIT_MAILS_PER_HOUR": "5",
}
PASSWORD = "Pass-of-a-test-7193"
SERVED = 200
HEAD = b"GET /health HTTP/1.1\r\nHost: localhost\r\n"
JSON = "application/json"
ACCESS = "tests/integration/live/test_access.py"
DEFENCE, GUARD = "tests/integration/web/test_login_defence.py", "tests/integration/actions/test_guard.py"
ELSEWHERE = {  # limits that are reached by another test
    "patience": "tests/system/test_slow_clients.py:test_slow_clients_are_cut_off_and_nobody_else_notices",
    "connections": "tests/unit/edge/test_http_protocol.py:test_one_connection_too_many_is_told",
    "sockets": f"{ACCESS}:test_a_full_process_says_so",
    "sockets of a network": f"{ACCESS}:test_one_account_and_one_network_have_only_so_many_places",
    "votes": "tests/system/test_limits.py:test_limits_at_the_door",
    "API calls": "tests/integration/web/test_limits_at_the_gate.py:test_each_account_and_each_network_has_its_own",
    "page's wait": "tests/system/test_pools.py:test_when_no_thread_is_free_for_a_page_everybody_is_told_and_probes_answer",
    "log-in's wait": "tests/unit/edge/test_turns.py:test_who_waits_too_long_is_told_and_takes_no_place",
    "wrong passwords at once": f"{GUARD}:test_from_the_fifth_wrong_one_each_doubles_the_wait",
    "wrong passwords a day": f"{GUARD}:test_ten_thousand_guesses_from_a_thousand_networks_are_a_hundred",
    "failed log-ins": f"{DEFENCE}:test_failures_count_against_a_network_whatever_the_names",
    "registrations": f"{DEFENCE}:test_registrations_count_against_a_network",
}


class Ground(NamedTuple):
    """What a test stands on."""

    stack: Stack
    competition: int
    new_token: Callable[[], str]
    new_name: Callable[[], str]


@pytest.fixture(scope="module")
def stack(environment: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """The running system, with limits that a test can reach."""
    with running(environment | LOW, tmp_path_factory.mktemp("stack")) as one:
        yield one


@pytest.fixture
def ground(
    stack: Stack,
    make_competition: Callable[..., Competition],
    make_user: Callable[..., Account],
    token_of: Callable[[Account], str],
) -> Ground:
    """The system, a competition, and people."""
    return Ground(
        stack, make_competition().id, lambda: token_of(make_user()), lambda: make_user(password=PASSWORD).username
    )


# --- what is sent: each gives the status for so many of what is limited -------------------------------------------------


def status_of(ground: Ground, data: bytes) -> int:
    """The status of the answer to these bytes."""
    with strangers.connect(ground.stack.port) as one:
        with contextlib.suppress(OSError):
            one.sendall(data)
        answer = b""
        with contextlib.suppress(OSError):
            while b"\r\n" not in answer and (part := one.recv(4096)):
                answer += part
    return int(answer[9:12] or 0)


def head(ground: Ground, size: int) -> int:
    lines = b"".join(b"X-%02d: %b\r\n" % (number, b"a" * 1000) for number in range(size // 1100))
    left = size - len(HEAD) - len(lines) - len(b"X: \r\n\r\n")
    return status_of(ground, HEAD + lines + b"X: %b\r\n\r\n" % (b"a" * left))


def header_fields(ground: Ground, number: int) -> int:
    return status_of(ground, HEAD + b"".join(b"X-%d: a\r\n" % n for n in range(number - 1)) + b"\r\n")


def address(ground: Ground, size: int) -> int:
    return status_of(ground, HEAD.replace(b"/health", b"/health?".ljust(size, b"a")) + b"\r\n")


def hosts(ground: Ground, number: int) -> int:
    return status_of(ground, b"GET /health HTTP/1.1\r\n" + b"Host: localhost\r\n" * number + b"\r\n")


def framing(ground: Ground, size: int) -> int:
    trailer = b"a" * (size - len(b"2\r\n\r\n0\r\nX: \r\n\r\n"))
    body = b"2\r\n{}\r\n0\r\nX: %b\r\n\r\n" % trailer
    kind = b"Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
    return ok_or(status_of(ground, b"POST /login HTTP/1.1\r\nHost: localhost\r\n" + kind + body), 422)


def chunk_extension(ground: Ground, size: int) -> int:
    body = b"2;%b\r\n{}\r\n0\r\n\r\n" % (b"a" * (size - len(b"2;\r\n\r\n0\r\n\r\n")))
    kind = b"Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
    return ok_or(status_of(ground, b"POST /login HTTP/1.1\r\nHost: localhost\r\n" + kind + body), 422)


def ahead(ground: Ground, number: int) -> int:
    """However many are sent ahead, each is answered in its turn."""
    sent = HEAD + b"\r\n"
    with strangers.connect(ground.stack.port) as one:
        one.sendall(sent * 150 * number + sent.replace(b"Host", b"Connection: close\r\nHost"))
        assert strangers.send_all(one, b"").count(b"HTTP/1.1 200 ") == 150 * number + 1
    return SERVED


def body_of(ground: Ground, path: str, size: int, start: bytes, token: str | None = None) -> int:
    return ground.stack.post(path, start[:-1] + b" " * (size - len(start)) + b"}", token=token).status


def body(ground: Ground, size: int) -> int:
    return ok_or(body_of(ground, "/register", size, b'{"username": "a"}'), 422)


def ballot(ground: Ground, size: int) -> int:
    return ok_or(body_of(ground, f"/vote/{ground.competition}", size, b'{"vote": "a"}', ground.new_token()), 202)


def in_each_form(ground: Ground, path: str, names: list[str], token: str | None = None) -> set[int]:
    """The statuses of the same fields as JSON, form and multipart."""
    part = 'Content-Disposition: form-data; name="{}"\r\n\r\na\r\n--x'
    bodies = {
        JSON: json.dumps(dict.fromkeys(names, "a")),
        strangers.FORM: urlencode(dict.fromkeys(names, "a")),
        "multipart/form-data; boundary=x": "--x\r\n" + "\r\n".join(map(part.format, names)) + "--\r\n",
    }
    return {
        ground.stack.post(path, text.encode(), content_type=kind, token=token).status for kind, text in bodies.items()
    }


def fields(ground: Ground, number: int) -> int:
    names = ["username", "password", *(f"f{n}" for n in range(number - 2))]
    return ok_or(only(in_each_form(ground, "/login", names)), 422)


def fields_of_a_ballot(ground: Ground, number: int) -> int:
    names = ["vote", *(f"f{n}" for n in range(number - 1))]
    statuses = in_each_form(ground, f"/vote/{ground.competition}", names, ground.new_token())
    return SERVED if statuses <= {200, 202} else only(statuses)


def unknown_fields(ground: Ground, number: int) -> int:
    told = ground.stack.post("/forgot", {"email": "a@example.com", **{f"f{n:02}": "" for n in range(number)}})
    assert len(told.json["errors"]) == min(number, limits.UNKNOWN_FIELDS_NAMED_MAX)
    return ok_or(told.status, 422)


def name_of_a_field(ground: Ground, size: int) -> int:
    told = ground.stack.post("/forgot", {"email": "a@example.com", "f" * size: ""})
    assert list(told.json["errors"]) == ["f" * min(size, limits.FIELD_NAME_MAX_CHARS)]
    return ok_or(told.status, 422)


def password(ground: Ground, size: int) -> int:
    name, secret = f"p{secrets.token_hex(6)}", secrets.token_hex(size)[:size]
    wanted = {"username": name, "email": f"{name}@example.com", "password": secret, "confirm_password": secret}
    return ok_or(ground.stack.post("/register", wanted).status, 201)


def token(ground: Ground, size: int) -> int:
    """Ours are shorter than they may be; whatever is longer is not read at all."""
    own = ground.new_token()
    assert len(own) < limits.TOKEN_MAX_CHARS
    return ground.stack.get("/api/me", token=own if size == limits.TOKEN_MAX_CHARS else own.ljust(size, "x")).status


def token_of_a_mail(ground: Ground, size: int) -> int:
    told = ground.stack.post("/confirm", {"token": "t" * size}).json["errors"]["token"]
    return SERVED if told.startswith("This link was used") else 422


def logged_path(ground: Ground, size: int) -> int:
    path = f"/{secrets.token_hex(8)}".ljust(size, "p")
    ground.stack.get(path)
    wait_until(lambda: any(line.get("path") == path[: limits.LOGGED_PATH_MAX_CHARS] for line in ground.stack.lines()))
    return SERVED


@contextlib.contextmanager
def socket_of(ground: Ground, *, header: list[str] | None = None) -> Iterator[WebSocket]:
    url = f"ws://127.0.0.1:{ground.stack.port}/live/{ground.competition}"
    one = create_connection(url, timeout=strangers.TIMEOUT_S, header=header or [])
    try:
        one.recv()  # the first snapshot
        yield one
    finally:
        one.close()


def handshake(ground: Ground, size: int) -> int:
    try:
        with socket_of(ground, header=["X: " + "a" * (size - 1)]):
            return SERVED
    except WebSocketBadStatusException as error:
        return int(error.status_code)


def after(ground: Ground, *said: tuple[bytes, int, int], closes: bool) -> int:
    """What follows these frames (data, opcode, whether it ends a message): the code of a close, or SERVED when it goes on.

    One that `closes` is waited for; otherwise pings are answered: the first answer may overtake a close, the next cannot.
    """
    with socket_of(ground) as one:
        for data, opcode, fin in said:
            with contextlib.suppress(OSError):
                one.send_frame(ABNF(fin, 0, 0, 0, opcode, 1, data))
        if closes:
            return next_frame(one, ABNF.OPCODE_CLOSE)
        for _ in range(2):
            one.ping(b"still here")
            assert next_frame(one, ABNF.OPCODE_PONG)
    return SERVED


def next_frame(one: WebSocket, opcode: int) -> int:
    """The first two bytes of the next frame of this kind, as a number: a close has its code there."""
    while True:
        frame = one.recv_frame()
        if frame.opcode == opcode:
            return int.from_bytes(frame.data[:2], "big")
        assert frame.opcode != ABNF.OPCODE_CLOSE, frame.data


def message(ground: Ground, size: int) -> int:
    return after(ground, (b"a" * size, ABNF.OPCODE_TEXT, 1), closes=size > limits.SOCKET_MESSAGE_MAX_BYTES)


def messages(ground: Ground, number: int) -> int:
    """One too many is twice as many and one: in whichever second they come, one of two has too many."""
    closes = number > limits.SOCKET_MESSAGES_PER_S
    return after(ground, *[(b"a", ABNF.OPCODE_TEXT, 1)] * (2 * number if closes else number), closes=closes)


def frames(ground: Ground, number: int) -> int:
    """The two pings that ask whether the socket goes on are among them."""
    closes = number > limits.SOCKET_FRAMES_PER_S
    return after(ground, *[(b"", ABNF.OPCODE_PONG, 1)] * (2 * number if closes else number - 2), closes=closes)


def fragments(ground: Ground, number: int) -> int:
    more = [(b"", ABNF.OPCODE_CONT, 0)] * (number - 2)
    closes = number > limits.SOCKET_FRAGMENTS_MAX
    return after(ground, (b"a", ABNF.OPCODE_TEXT, 0), *more, (b"", ABNF.OPCODE_CONT, 1), closes=closes)


def sockets_of_an_account(ground: Ground, number: int) -> int:
    whose = [f"Authorization: Bearer {ground.new_token()}"]
    with contextlib.ExitStack() as held:
        try:
            for _ in range(int(LOW["LIMIT_SOCKETS_PER_ACCOUNT"]) + number - row("sockets of an account").number):
                held.enter_context(socket_of(ground, header=whose))
        except WebSocketBadStatusException as error:
            return int(error.status_code)
    return SERVED


def right_passwords(ground: Ground, number: int) -> int:
    name, times = ground.new_name(), int(LOW["LIMIT_LOGINS_PER_MINUTE"]) + number - row("right passwords").number
    return [strangers.log_in(ground.stack.port, name, PASSWORD).status for _ in range(times)][-1]


def mails(ground: Ground, number: int) -> int:
    times, source = int(LOW["LIMIT_MAILS_PER_HOUR"]) + number - row("mails asked for").number, f"127.0.8.{number % 200}"
    told = [ask_for_mail(ground, f"{secrets.token_hex(8)}@example.com", source) for _ in range(times)]
    assert set(told[:-1]) == {202}
    return ok_or(told[-1], 202)


def mails_to_an_address(ground: Ground, number: int) -> int:
    to = f"{secrets.token_hex(8)}@example.com"
    told = [ask_for_mail(ground, to, f"127.0.9.{number}") for _ in range(number)]
    assert set(told[:-1]) == {202}
    return ok_or(told[-1], 202)


def ask_for_mail(ground: Ground, address: str, source: str) -> int:
    return strangers.post(ground.stack.port, "/forgot", {"email": address}, source=source).status


def ok_or(status: int, expected: int) -> int:
    """SERVED for the status with which this request is let through."""
    return SERVED if status == expected else status


def only(statuses: set[int]) -> int:
    """The one status that all ways in have answered."""
    (status,) = statuses
    return status


def row(name: str) -> limits.StrangerLimit:
    """A line of the table."""
    return next(one for one in limits.TABLE if one.name == name)


# name in the table: how it is tried, and what one more is answered (SERVED: the answer says less, or comes later)
CASES: dict[str, tuple[Callable[[Ground, int], int], int]] = {
    "head": (head, 431),
    "header fields": (header_fields, 431),
    "address": (address, 414),
    "host": (hosts, 400),
    "framing": (framing, 431),
    "requests ahead": (ahead, SERVED),
    "body": (body, 413),
    "ballot": (ballot, 413),
    "fields": (fields, 413),
    "fields of a ballot": (fields_of_a_ballot, 413),
    "unknown fields named": (unknown_fields, SERVED),
    "name of a field": (name_of_a_field, SERVED),
    "password": (password, 422),
    "token": (token, 401),
    "token of a mail": (token_of_a_mail, 422),
    "logged path": (logged_path, SERVED),
    "handshake's field": (handshake, 431),
    "socket message": (message, 1009),
    "socket messages": (messages, 1008),
    "socket frames": (frames, 1008),
    "socket fragments": (fragments, 1009),
    "sockets of an account": (sockets_of_an_account, 429),
    "right passwords": (right_passwords, 429),
    "mails asked for": (mails, 429),
    "mails to an address": (mails_to_an_address, 429),
}


def test_every_limit_is_tried() -> None:
    assert CASES.keys() | ELSEWHERE.keys() == {one.name for one in limits.TABLE}
    assert not CASES.keys() & ELSEWHERE.keys()
    for place in ELSEWHERE.values():
        path, _, test = place.partition(":")
        assert f"def {test}(" in (ROOT / path).read_text("utf-8"), place


@pytest.mark.parametrize("name", CASES)
def test_as_much_as_a_limit_allows_is_served_and_one_more_is_answered_as_the_table_says(
    ground: Ground, name: str
) -> None:
    tried, beyond = CASES[name]
    limit = row(name)

    assert tried(ground, limit.number) == SERVED
    assert tried(ground, limit.number + 1) == beyond
    assert beyond == SERVED or str(beyond) in limit.answer


def test_chunk_extensions_and_many_small_chunks_count_as_framing(ground: Ground) -> None:
    assert chunk_extension(ground, limits.FRAMING_MAX_BYTES) == SERVED
    assert chunk_extension(ground, limits.FRAMING_MAX_BYTES + 1) == 431
    crumbs = b"1\r\n \r\n" * limits.FRAMING_MAX_BYTES
    head = HEAD.replace(b"GET /health", b"POST /login") + b"Content-Type: application/json\r\n"
    assert status_of(ground, head + b"Transfer-Encoding: chunked\r\n\r\n" + crumbs) == 431


@pytest.mark.parametrize("value", ["", "a b", "a b<script>", "a,b", "a/b", "a@b", "[::1", "a:b", "a:123456", "\x80"])
@pytest.mark.parametrize("kind", ["", "Connection: Upgrade\r\nUpgrade: websocket\r\n"])
def test_a_host_that_is_none_is_refused(ground: Ground, value: str, kind: str) -> None:
    data = f"GET /live/{ground.competition} HTTP/1.1\r\n{kind}Host: {value}\r\n\r\n".encode("latin-1")

    assert status_of(ground, data) == 400


def test_without_a_host_only_http_1_0_is_served(ground: Ground) -> None:
    assert hosts(ground, 0) == 400
    assert status_of(ground, b"GET /health HTTP/1.0\r\n\r\n") == SERVED
    assert status_of(ground, b"GET /health HTTP/1.0\r\nHost: a\r\nHost: b\r\n\r\n") == 400


def test_a_trailer_is_no_header(ground: Ground) -> None:
    """Neither a token nor an address that our proxies would have to be believed for (RFC 9110 §6.5.1)."""
    token = ground.new_token()
    start = f"POST /vote/{ground.competition} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
    trailer = f"Authorization: Bearer {token}\r\n"
    chunked = '{}Transfer-Encoding: chunked\r\n\r\nc\r\n{{"vote":"a"}}\r\n0\r\n{}\r\n'

    assert status_of(ground, chunked.format(start, trailer).encode()) == 401
    assert status_of(ground, chunked.format(start + trailer, "").encode()) == 202


def test_text_that_is_none_ends_a_socket_without_a_trace(ground: Ground) -> None:
    assert after(ground, (b"\xff", ABNF.OPCODE_TEXT, 1), closes=True) == 1007
    assert not any("exception" in line for line in ground.stack.lines())
