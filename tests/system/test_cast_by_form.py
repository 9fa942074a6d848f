"""A ballot on its short way and on the long one: the same answers, and on the wire nothing gets out of order."""

import http.client
import json
import re
import socket
from collections.abc import Callable, Iterator

import pytest

from tests.browsing import FORM, Browser, csrf_token
from tests.module_wide import database_url, environment, redis_url, stack
from tests.stack import Stack, wait_until
from vote.db.users import Account
from vote.domain.competition import Competition

__all__ = ["database_url", "environment", "redis_url", "stack"]  # one system for the whole file

MakeUser = Callable[..., Account]
MakeCompetition = Callable[..., Competition]
TokenOf = Callable[[Account], str]
Told = tuple[int, dict[str, str], object]

PART = b'--x\r\nContent-Disposition: form-data; name="vote"\r\n\r\na\r\n--x--\r\n'
JSON = {"Content-Type": "application/json"}
OWN_TO_EACH = {"Date", "X-Request-ID", "Transfer-Encoding", "Content-Length"}


def tell(stack: Stack, path: str, body: bytes, headers: dict[str, str], *, long_way: bool) -> Told:
    """Status, headers and body. A body in chunks has no length, so it is not held back until it is whole: the long way."""
    connection = http.client.HTTPConnection("127.0.0.1", stack.port, timeout=20)
    try:
        connection.request("POST", path, iter([body]) if long_way else body, headers, encode_chunked=long_way)
        answer = connection.getresponse()
        text = answer.read()
    finally:
        connection.close()
    found = {name: value for name, value in answer.getheaders() if name.title() not in {n.title() for n in OWN_TO_EACH}}
    if "set-cookie" in found:
        found["set-cookie"] = re.sub(r"session=[^;]+", "session=…", found["set-cookie"])
    shown: object = json.loads(text) if "json" in found.get("content-type", "") else len(text) > 0
    if isinstance(shown, dict):
        shown = {name: value for name, value in shown.items() if name not in ("receipt", "request_id")}
    return answer.status, found, shown


def _bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


def _said(shown: object) -> str:
    """The body; whether the worker was there already between two presses is not the front door's doing."""
    return str(shown).replace("recorded", "accepted")


@pytest.mark.parametrize(
    ("body", "headers"),
    [
        (b'{"vote":"a"}', JSON),
        (b"vote=b", {"Content-Type": FORM}),
        (PART, {"Content-Type": "multipart/form-data; boundary=x"}),
        (b'{"vote":"z"}', JSON),
        (b'{"vote":""}', JSON),
        (b"{", JSON),
    ],
)
def test_a_token_is_answered_the_same(
    stack: Stack,
    make_user: MakeUser,
    make_competition: MakeCompetition,
    token_of: TokenOf,
    body: bytes,
    headers: dict[str, str],
) -> None:
    path = f"/vote/{make_competition().id}"
    for _ in stack.web_processes_alone():  # with a competition that a process does not know yet there is no short way
        assert tell(stack, path, b'{"vote":"a"}', JSON | _bearer(token_of(make_user())), long_way=False)[0] == 202

    def thrice(*, long_way: bool) -> list[Told]:
        whose = headers | _bearer(token_of(make_user()))
        return [
            tell(stack, path, body, whose, long_way=long_way),
            tell(stack, path, body, whose, long_way=long_way),
            tell(stack, path, b'{"vote":"b"}', whose | JSON, long_way=long_way),
        ]

    short, long = thrice(long_way=False), thrice(long_way=True)

    assert [(status, sorted(found.items())) for status, found, _ in short] == [
        (status, sorted(found.items())) for status, found, _ in long
    ]
    assert [_said(shown) for _, _, shown in short] == [_said(shown) for _, _, shown in long]


@pytest.mark.parametrize("accept", ["application/json", "text/html"])
@pytest.mark.parametrize("token", ["own", "none", "forged"])
def test_a_browser_is_answered_the_same(
    stack: Stack, make_user: MakeUser, make_competition: MakeCompetition, accept: str, token: str
) -> None:
    competition = make_competition()

    def once(*, long_way: bool) -> Told:
        account, browser = make_user(password="Pass123!"), Browser(stack)
        browser.log_in(account.username, "Pass123!")
        own = csrf_token(browser.get(f"/vote/{competition.id}"))
        fields = {"own": f"&csrf_token={own}", "none": "", "forged": f"&csrf_token={'0' * len(own)}"}[token]
        headers = {
            "Content-Type": FORM,
            "Cookie": "; ".join(f"{name}={value}" for name, value in browser.cookies.items()),
            "Sec-Fetch-Site": "same-origin",
            "Accept": accept,
        }
        return tell(stack, f"/vote/{competition.id}", f"vote=a{fields}".encode(), headers, long_way=long_way)

    short, long = once(long_way=False), once(long_way=True)

    assert short[0] == (403 if token != "own" else 202 if accept == "application/json" else 303)
    short[1].pop("set-cookie", None), long[1].pop("set-cookie", None)  # only where a second has passed since the log-in
    assert short == long


def test_a_stranger_is_answered_the_same(stack: Stack, make_competition: MakeCompetition) -> None:
    path = f"/vote/{make_competition().id}"

    assert tell(stack, path, b'{"vote":"a"}', JSON, long_way=False) == tell(
        stack, path, b'{"vote":"a"}', JSON, long_way=True
    )


class Press:
    """Whole requests, each of a new voter, in one competition."""

    def __init__(self, competition: int, new_token: Callable[[], str]) -> None:
        self.competition = competition
        self._new_token = new_token

    def __call__(self, *, version: str = "1.1", more: str = "") -> bytes:
        head = f"POST /vote/{self.competition} HTTP/{version}\r\nHost: localhost\r\nContent-Type: application/json\r\n"
        head += f"Authorization: Bearer {self._new_token()}\r\nContent-Length: 12\r\n{more}\r\n"
        return head.encode() + b'{"vote":"a"}'


@pytest.fixture
def press(stack: Stack, make_user: MakeUser, make_competition: MakeCompetition, token_of: TokenOf) -> Press:
    press = Press(make_competition().id, lambda: token_of(make_user()))
    for (
        _
    ) in stack.web_processes_alone():  # the first ballot of a competition goes the long way: its receipt key is read
        assert answers(stack, [press(more="Connection: close\r\n")]) == [(202, True)]
    return press


def answers(stack: Stack, services: list[bytes]) -> list[tuple[int, bool]]:
    """What comes for these bytes, sent in these pieces: statuses, and whether the connection is said to end with it."""
    with socket.create_connection(("127.0.0.1", stack.port), timeout=20) as one:
        for part in services:
            one.sendall(part)
        return list(_read(one))


def _read(one: socket.socket) -> Iterator[tuple[int, bool]]:
    stream = one.makefile("rb")
    while line := stream.readline():
        head = list(iter(stream.readline, b"\r\n"))
        length = next(int(field.split(b":")[1]) for field in head if field.startswith(b"content-length"))
        stream.read(length)
        yield int(line.split()[1]), b"connection: close\r\n" in head


def test_requests_sent_ahead_are_answered_in_order(stack: Stack, press: Press) -> None:
    page = b"GET /nothing-here HTTP/1.1\r\nHost: localhost\r\n\r\n"
    last = b"GET /health HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"

    told = answers(stack, [press() + page + press() + press() + last])

    assert told == [(202, False), (404, False), (202, False), (202, False), (200, True)]


def test_a_ballot_in_pieces_is_one(stack: Stack, press: Press) -> None:
    whole = press(more="Connection: close\r\n")

    assert answers(stack, [whole[:30], whole[30:-5], whole[-5:]]) == [(202, True)]
    assert answers(stack, [press(version="1.0")]) == [(202, True)]


def test_who_hangs_up_has_voted_and_disturbs_nobody(stack: Stack, press: Press) -> None:
    for _ in range(20):
        with socket.create_connection(("127.0.0.1", stack.port), timeout=20) as one:
            one.sendall(press())
    told = answers(stack, [press(more="Connection: close\r\n")])

    assert told == [(202, True)]
    wait_until(lambda: stack.results(press.competition)["total"] == 21 + 2)
