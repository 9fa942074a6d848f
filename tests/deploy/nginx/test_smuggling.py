"""No request hides another one: sent raw, each gets 400 or one answer, and a web never reads two."""

import contextlib
import socket
from collections.abc import Iterator

import pytest

from tests.deploy.nginx.authority import WebAuthority
from tests.deploy.nginx.clients import ENDS, exchange, read_to_end
from tests.deploy.nginx.front import Front, front_of
from tests.deploy.nginx.http2_frames import Fields, request, statuses
from tests.deploy.nginx.recording_web import RecordingWeb, Seen, answer
from tests.deploy.nginx.smuggling import INNER, PAYLOADS

QUIET_S = 0.5  # after which nothing more comes: an answer takes milliseconds
STATUS_LINE = b"HTTP/1."
COMMON = ((b":method", b"POST"), (b":scheme", b"https"), (b":path", b"/vote/1"), (b":authority", b"localhost"))
HTTP2: dict[str, tuple[Fields, bytes]] = {
    "length shorter than the content": ((*COMMON, (b"content-length", b"0")), INNER),
    "length longer than the content": ((*COMMON, (b"content-length", b"999")), INNER),
    "transfer-encoding": ((*COMMON, (b"transfer-encoding", b"chunked")), b"0\r\n\r\n" + INNER),
    "connection": ((*COMMON, (b"connection", b"upgrade"), (b"upgrade", b"websocket")), INNER),
    "a line end in a value": ((*COMMON, (b"x", b"x\r\nTransfer-Encoding: chunked")), INNER),
    "a line end in a name": ((*COMMON, (b"x: x\r\ntransfer-encoding", b"chunked")), INNER),
    "a line end in the path": ((*COMMON[:2], (b":path", b"/ HTTP/1.1\r\nX: x\r\n\r\n" + INNER), COMMON[3]), b""),
    "a line end in the method": (((b":method", b"GET /smuggled HTTP/1.1\r\nX:"), *COMMON[1:]), b""),
    "another host": ((*COMMON, (b"host", b"evil.example")), INNER),
    "two authorities": ((*COMMON, (b":authority", b"evil.example")), INNER),
}


@pytest.fixture(scope="module")
def site(authority: WebAuthority) -> Iterator[Front]:
    """One site for all payloads: what one of them breaks, the next would meet."""
    with front_of(authority) as front:
        for web in front.webs:
            web.answer = _say_path
        yield front


@pytest.mark.parametrize("data", [payload.data for payload in PAYLOADS], ids=[payload.name for payload in PAYLOADS])
def test_a_request_hides_no_other(site: Front, data: bytes) -> None:
    site.forget()

    with site.client.connect() as one:
        _hides_nothing(site, one, data)

    _is_innocent(site)


@pytest.mark.parametrize("name", HTTP2)
def test_a_request_of_http_2_hides_no_other(site: Front, name: str) -> None:
    """What has no meaning in HTTP/2 must not get one on the way to the web, which is asked by HTTP/1.1."""
    site.forget()
    fields, body = HTTP2[name]

    with site.client.connect(alpn=("h2",)) as one:
        one.settimeout(QUIET_S)
        found = statuses(one, request(1, fields, body))

    assert len(found) <= 1, found
    _is_one(site.seen)
    _is_innocent(site)


def test_http_2_by_hand_is_understood(site: Front) -> None:
    """Otherwise nothing above says anything."""
    site.forget()

    with site.client.connect(alpn=("h2",)) as one:
        found = statuses(one, request(1, (*COMMON, (b"content-length", b"6")), b"vote=a"))

    assert len(found) == 1
    assert found != ["reset"]
    assert [seen.body for seen in site.seen] == [b"vote=a"]


def test_without_nginx_requests_do_hide_others() -> None:
    """Planted: a server that knows lengths alone, asked directly. At least ten payloads must be found to be two requests."""
    found = []
    for payload in PAYLOADS:
        web = RecordingWeb(_say_path)
        with contextlib.closing(web), socket.create_connection(("127.0.0.1", web.port)) as one:
            one.sendall(payload.data)
            one.shutdown(socket.SHUT_WR)
            answers = read_to_end(one).count(STATUS_LINE)
            if answers > 1 or any("smuggled" in seen.path for seen in web.seen):
                found.append(payload.name)
    assert len(found) >= 10, found


def _hides_nothing(site: Front, one: socket.socket, data: bytes) -> None:
    one.settimeout(QUIET_S)
    said = b""
    with contextlib.suppress(*ENDS):
        one.sendall(data)
        while part := one.recv(65536):
            said += part

    answers = said.replace(b"HTTP/1.1 100 Continue\r\n\r\n", b"").count(STATUS_LINE)
    assert answers <= 1, said
    _is_one(site.seen)


def _is_one(seen: list[Seen]) -> None:
    assert len(seen) <= 1, [one.line for one in seen]
    for one in seen:
        assert "smuggled" not in one.path or one.path.startswith("http"), one.line
        assert one.all("Transfer-Encoding") == []
        assert set(one.all("Host")) == {"localhost"}
        assert len(one.all("Content-Length")) <= 1


def _say_path(seen: Seen) -> bytes:
    return answer(body=seen.path.encode())


def _is_innocent(site: Front) -> None:
    """Who comes next gets the own answer, on every connection that nginx keeps to a web."""
    for number in range(4):
        path = f"/innocent/{number}"
        with site.client.connect() as one:
            assert exchange(one, site.client.request("GET", path)).body == path.encode()
