"""One connection as far as bytes are concerned: what is counted, what is dropped, and where a request ends."""

import asyncio
from functools import partial
from typing import Any

import pytest
from uvicorn import Config
from uvicorn.server import ServerState

from vote import input_limits as limits
from vote.server.http_protocol import FrontDoorProtocol

GET = b"GET / HTTP/1.1\r\n"
HOST = b"Host: localhost\r\n"
CHUNKED = b"POST / HTTP/1.1\r\n" + HOST + b"Transfer-Encoding: chunked\r\n"
WITHIN_S = 20


async def echo(scope: Any, receive: Any, send: Any) -> None:
    """Wait for the body; answer with the headers the app has then, and the body."""
    body = b""
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            return
        body += message.get("body", b"")
        if not message.get("more_body"):
            break
    said = b"".join(b"%b=%b;" % header for header in scope["headers"]) + body
    headers = [(b"content-length", b"%d" % len(said))]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": said})


def answer(*services: bytes) -> bytes:
    """All that is answered to these bytes, sent one after the other, until the server ends or has nothing to do."""

    async def run() -> bytes:
        config = Config(echo, interface="asgi3", ws="none", timeout_keep_alive=0, log_config=None)
        config.load()
        protocol = partial(FrontDoorProtocol.with_timeout(WITHIN_S), config, ServerState(), {})
        made = await asyncio.get_running_loop().create_server(protocol, "127.0.0.1", 0)
        async with made, asyncio.timeout(WITHIN_S):
            reader, writer = await asyncio.open_connection(*made.sockets[0].getsockname())
            try:
                for part in services:
                    writer.write(part)
                    await asyncio.sleep(0)
                found = await reader.readuntil(b"\r\n\r\n")
                length = found.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0]
                return found + await reader.readexactly(int(length))
            finally:
                writer.transport.abort()

    return asyncio.run(run())


def status(*services: bytes) -> int:
    return int(answer(*services)[9:12])


def bytewise(data: bytes) -> list[bytes]:
    return [data[at : at + 1] for at in range(len(data))]


def test_a_trailer_is_dropped() -> None:
    sent = CHUNKED + b"\r\n2\r\nhi\r\n0\r\nAuthorization: Bearer x\r\nX-Forwarded-For: 10.0.0.1\r\n\r\n"

    for services in ([sent], bytewise(sent)):
        told = answer(*services)
        assert told.startswith(b"HTTP/1.1 200 ")
        assert told.endswith(b"transfer-encoding=chunked;hi")


@pytest.mark.parametrize(
    ("before", "after"),
    [(b"2;", b"\r\nhi\r\n0\r\n\r\n"), (b"2\r\nhi\r\n0\r\nX: ", b"\r\n\r\n")],
    ids=["extension", "trailer"],
)
def test_framing_is_counted_to_the_byte(before: bytes, after: bytes) -> None:
    content = len(b"hi")
    filler = limits.FRAMING_MAX_BYTES - len(before) - len(after) + content

    assert status(CHUNKED + b"\r\n" + before + b"a" * filler + after) == 200
    assert status(CHUNKED + b"\r\n" + before + b"a" * (filler + 1) + after) == 431
    assert status(CHUNKED + b"\r\n", before, b"a" * (limits.FRAMING_MAX_BYTES + 1)) == 431, (
        "without waiting for the end"
    )


def test_many_small_chunks_are_framing_and_large_ones_are_not() -> None:
    large = b"".join(b"400\r\n%b\r\n" % (b"a" * 1024) for _ in range(200))

    assert status(CHUNKED + b"\r\n" + large + b"0\r\n\r\n") == 200
    assert status(CHUNKED + b"\r\n" + b"1\r\na\r\n" * limits.FRAMING_MAX_BYTES) == 431


def test_a_head_is_counted_to_the_byte_however_it_comes() -> None:
    def head(size: int) -> bytes:
        start = GET + HOST + b"X: "
        return start + b"a" * (size - len(start) - 4) + b"\r\n\r\n"

    most = limits.HEAD_MAX_BYTES
    assert status(head(most)) == status(head(most)[:-2], head(most)[-2:]) == 200
    assert status(head(most + 1)) == status(head(most + 1)[:-2], head(most + 1)[-2:]) == 431
    assert status(b"\r\n" * most) == 431, "nothing at all is a head without an end"


@pytest.mark.parametrize(("more", "expected"), [(0, 200), (1, 431)])
def test_header_fields_are_counted(more: int, expected: int) -> None:
    assert status(GET + HOST + b"X: a\r\n" * (limits.HEADERS_MAX - 1 + more) + b"\r\n") == expected


@pytest.mark.parametrize(("more", "expected"), [(0, 200), (1, 414)])
def test_an_address_has_an_end(more: int, expected: int) -> None:
    assert status(b"GET /".ljust(limits.URL_MAX_BYTES + 4 + more, b"a") + b" HTTP/1.1\r\n" + HOST + b"\r\n") == expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        *(
            (value, 200)
            for value in ["localhost", "a.b-c_d:8080", "127.0.0.1", "[::1]:80", "a:", "xn--bcher-kva.example"]
        ),
        *((value, 400) for value in ["", "a b", "a<script>", "a,b", "a/b", "u@a", "[::1", "a:b", "a:123456", "\x80"]),
    ],
)
def test_a_host_is_one_valid_name(value: str, expected: int) -> None:
    assert status(GET + f"Host: {value}\r\n\r\n".encode("latin-1")) == expected


def test_one_host_is_needed_and_two_are_too_many() -> None:
    assert status(GET + b"\r\n") == 400
    assert status(GET + HOST + HOST + b"\r\n") == 400
    assert status(GET.replace(b"1.1", b"1.0") + b"\r\n") == 200
    assert status(GET.replace(b"1.1", b"1.0") + HOST + HOST + b"\r\n") == 400


@pytest.mark.parametrize(
    "head", [b"CONNECT a:1 HTTP/1.1\r\nHost: a:1\r\n\r\n", b"GET http://a HTTP/1.1\r\nHost: a\r\n\r\n"]
)
def test_what_is_for_a_proxy_is_refused(head: bytes) -> None:
    assert status(head) == 400
