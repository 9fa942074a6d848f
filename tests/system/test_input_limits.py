"""Each limit of `vote/input_limits.py` at the running server: what it allows is served, one more is answered as it says.

One web process, so that figures of a process can be reached exactly. Limits that no test can reach this way, such as
25,000 connections, name the test that reaches them otherwise.
"""

from collections.abc import Callable, Iterator

import pytest
from websocket import ABNF

from tests import limit_attempts as tries
from tests import limit_attempts_of_sockets as sockets
from tests.limit_attempts import LOW, PASSWORD, SERVED, Ground
from tests.module_wide import database_url, environment, redis_url
from tests.stack import Stack, running
from tests.unit.tree import ROOT
from vote import input_limits as limits
from vote.db.users import Account
from vote.domain.competition import Competition

__all__ = ["database_url", "environment", "redis_url"]

ACCESS = "tests/integration/live/test_access.py"
DEFENCE, GUARD = (
    "tests/integration/web/account/test_login_throttle.py",
    "tests/integration/actions/test_login_throttle.py",
)
ELSEWHERE = {  # limits that are reached by another test
    "client timeout": "tests/system/test_slow_clients.py:test_slow_clients_are_cut_off_and_nobody_else_notices",
    "connections": "tests/unit/server/test_http_protocol.py:test_one_connection_too_many_is_told",
    "sockets": f"{ACCESS}:test_a_full_process_says_so",
    "sockets of a network": f"{ACCESS}:test_one_account_and_one_network_have_only_so_many_places",
    "votes": "tests/system/test_limits.py:test_limits_at_the_door",
    "API calls": "tests/integration/web/test_rate_limits.py:test_each_account_and_each_network_has_its_own",
    "page wait": "tests/system/test_pools.py:test_when_no_thread_is_free_for_a_page_everybody_is_told_and_probes_answer",
    "login wait": "tests/unit/server/test_concurrency_limit.py:test_who_waits_too_long_is_told_and_takes_no_place",
    "wrong passwords at once": f"{GUARD}:test_from_the_fifth_wrong_one_each_doubles_the_wait",
    "wrong passwords a day": f"{GUARD}:test_ten_thousand_guesses_from_a_thousand_networks_are_a_hundred",
    "failed logins": f"{DEFENCE}:test_failures_count_against_a_network_whatever_the_names",
    "registrations": f"{DEFENCE}:test_registrations_count_against_a_network",
}


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


# name in the table: how it is tried, and what one more is answered (SERVED: the answer says less, or comes later)
CASES: dict[str, tuple[Callable[[Ground, int], int], int]] = {
    "head": (tries.head, 431),
    "header fields": (tries.header_fields, 431),
    "address": (tries.address, 414),
    "host": (tries.hosts, 400),
    "framing": (tries.framing, 431),
    "pipelined requests": (tries.ahead, SERVED),
    "body": (tries.body, 413),
    "ballot": (tries.ballot, 413),
    "fields": (tries.fields, 413),
    "ballot fields": (tries.fields_of_a_ballot, 413),
    "unknown fields named": (tries.unknown_fields, SERVED),
    "field name": (tries.name_of_a_field, SERVED),
    "password": (tries.password, 422),
    "token": (tries.token, 401),
    "mail token": (tries.token_of_a_mail, 422),
    "logged path": (tries.logged_path, SERVED),
    "handshake field": (sockets.handshake, 431),
    "socket message": (sockets.message, 1009),
    "socket messages": (sockets.messages, 1008),
    "socket frames": (sockets.frames, 1008),
    "socket fragments": (sockets.fragments, 1009),
    "sockets of an account": (sockets.sockets_of_an_account, 429),
    "correct passwords": (tries.right_passwords, 429),
    "requested mails": (tries.mails, 429),
    "mails to an address": (tries.mails_to_an_address, 429),
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
    limit = tries.row(name)

    assert tried(ground, limit.number) == SERVED
    assert tried(ground, limit.number + 1) == beyond
    assert beyond == SERVED or str(beyond) in limit.answer


def test_chunk_extensions_and_many_small_chunks_count_as_framing(ground: Ground) -> None:
    assert tries.chunk_extension(ground, limits.FRAMING_MAX_BYTES) == SERVED
    assert tries.chunk_extension(ground, limits.FRAMING_MAX_BYTES + 1) == 431
    crumbs = b"1\r\n \r\n" * limits.FRAMING_MAX_BYTES
    head = tries.HEAD.replace(b"GET /health", b"POST /login") + b"Content-Type: application/json\r\n"
    assert tries.status_of(ground, head + b"Transfer-Encoding: chunked\r\n\r\n" + crumbs) == 431


@pytest.mark.parametrize("value", ["", "a b", "a b<script>", "a,b", "a/b", "a@b", "[::1", "a:b", "a:123456", "\x80"])
@pytest.mark.parametrize("kind", ["", "Connection: Upgrade\r\nUpgrade: websocket\r\n"])
def test_a_host_that_is_none_is_refused(ground: Ground, value: str, kind: str) -> None:
    data = f"GET /live/{ground.competition} HTTP/1.1\r\n{kind}Host: {value}\r\n\r\n".encode("latin-1")

    assert tries.status_of(ground, data) == 400


def test_without_a_host_only_http_1_0_is_served(ground: Ground) -> None:
    assert tries.hosts(ground, 0) == 400
    assert tries.status_of(ground, b"GET /health HTTP/1.0\r\n\r\n") == SERVED
    assert tries.status_of(ground, b"GET /health HTTP/1.0\r\nHost: a\r\nHost: b\r\n\r\n") == 400


def test_a_trailer_is_no_header(ground: Ground) -> None:
    """Neither a token nor an address that our proxies would have to be believed for (RFC 9110 §6.5.1)."""
    token = ground.new_token()
    start = f"POST /vote/{ground.competition} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
    trailer = f"Authorization: Bearer {token}\r\n"
    chunked = '{}Transfer-Encoding: chunked\r\n\r\nc\r\n{{"vote":"a"}}\r\n0\r\n{}\r\n'

    assert tries.status_of(ground, chunked.format(start, trailer).encode()) == 401
    assert tries.status_of(ground, chunked.format(start + trailer, "").encode()) == 202


@pytest.mark.parametrize("path", ["/vote", "/login"])
def test_a_request_that_asks_for_http_2_is_served_as_it_is(ground: Ground, path: str) -> None:
    """RFC 9110 §7.8: an upgrade to what we do not speak is ignored, with the body and all."""
    head = "Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAEAAEAAAAIAAAAB\r\n"
    head += "Host: localhost\r\nContent-Type: application/x-www-form-urlencoded\r\n"
    body = f"username={ground.new_name()}&password={PASSWORD}" if path == "/login" else "vote=a"
    if path == "/vote":
        path = f"/vote/{ground.competition}"
        head += f"Authorization: Bearer {ground.new_token()}\r\n"
    request = f"POST {path} HTTP/1.1\r\n{head}Content-Length: {len(body)}\r\n\r\n{body}"

    assert tries.status_of(ground, request.encode()) == (200 if path == "/login" else 202)


def test_text_that_is_none_ends_a_socket_without_a_trace(ground: Ground) -> None:
    assert sockets.after(ground, (b"\xff", ABNF.OPCODE_TEXT, 1), closes=True) == 1007
    assert not any("exception" in line for line in ground.stack.lines())
