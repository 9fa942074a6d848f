"""One connection under the server's protocol: how long it may stay, and whom an answer is for."""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from functools import partial
from typing import Any
from unittest.mock import Mock

import pytest
from uvicorn import Config
from uvicorn.server import ServerState

from vote.server.http_protocol import FrontDoorProtocol

GET = b"GET / HTTP/1.1\r\nHost: localhost\r\n"
UPGRADE = b"Connection: Upgrade\r\nUpgrade: "
WEBSOCKET = b"websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
TIMEOUT_S = 0.05
KEEP_ALIVE_S = 1
WITHIN_S = 20

Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]


class Server:
    """A front door without the app behind it. `asked` are the paths that the app was asked for."""

    def __init__(self, timeout_s: float = TIMEOUT_S) -> None:
        self.timeout_s = timeout_s
        self.asked: list[str] = []
        self.is_asked = asyncio.Event()
        self.state = ServerState()
        self.may_answer = asyncio.Event()

    async def app(self, scope: Any, _receive: Any, send: Any) -> None:
        """Answer when it may, without looking at a body."""
        self.asked.append(scope["path"])
        self.is_asked.set()
        await self.may_answer.wait()
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"0")]})
        await send({"type": "http.response.body", "body": b""})

    def protocol(self, most: int | None = None) -> Callable[[], FrontDoorProtocol]:
        """What makes a connection's protocol, for `most` of them."""
        config = Config(
            self.app,
            interface="asgi3",
            ws="vote.live.protocol:WatcherProtocol",
            timeout_keep_alive=KEEP_ALIVE_S,
            limit_concurrency=most,
            log_config=None,
        )
        config.load()
        return partial(FrontDoorProtocol.with_timeout(self.timeout_s), config, self.state, {})

    @asynccontextmanager
    async def serving(self) -> AsyncIterator[tuple[str, int]]:
        """Where it listens."""
        made = await asyncio.get_running_loop().create_server(self.protocol(), "127.0.0.1", 0)
        async with made, asyncio.timeout(WITHIN_S):
            yield made.sockets[0].getsockname()

    async def until_nobody_is_left(self) -> None:
        """Wait for the server to have let go of every connection."""
        while self.state.connections:  # noqa: ASYNC110  # a set of uvicorn's tells nobody
            await asyncio.sleep(0.01)  # between two looks


def with_one(run: Callable[[Server, Streams], Coroutine[Any, Any, Any]], *, timeout_s: float = TIMEOUT_S) -> Any:
    """What `run` finds with one connection to a server."""

    async def connected() -> Any:
        server = Server(timeout_s)
        async with server.serving() as address:
            streams = await asyncio.open_connection(*address, limit=1024)
            try:
                return await run(server, streams)
            finally:
                streams[1].close()

    return asyncio.run(connected())


def test_an_idle_connection_takes_more_requests_and_is_closed_in_the_end() -> None:
    async def run(server: Server, streams: Streams) -> list[bytes]:
        reader, writer = streams
        server.may_answer.set()
        answers = []
        for _ in range(3):
            writer.write(GET + b"\r\n")
            answers.append(await reader.readuntil(b"\r\n\r\n"))
        return [*(answer[:12] for answer in answers), await reader.read(), b"%d" % server.state.total_requests]

    assert with_one(run) == [b"HTTP/1.1 200"] * 3 + [b"", b"3"]


def test_a_connection_that_was_answered_before_its_body_came_is_closed_in_the_end() -> None:
    async def run(server: Server, streams: Streams) -> bytes:
        reader, writer = streams
        server.may_answer.set()
        writer.write(GET + b"Content-Length: 1\r\n\r\n")
        answer = await reader.readuntil(b"\r\n\r\n")
        writer.write(b"x")
        assert await reader.read() == b""
        return answer[:12]

    assert with_one(run) == b"HTTP/1.1 200"


def test_an_answer_that_nobody_reads_keeps_no_connection() -> None:
    """How much of it waits in this process, and not in the kernel, cannot be arranged: so this transport waits by itself."""

    async def run() -> None:
        aborted, server = asyncio.Event(), Server()
        transport = Mock(asyncio.Transport, get_extra_info=Mock(return_value=None), abort=Mock(side_effect=aborted.set))
        server.protocol()().connection_made(transport)
        transport.is_closing.return_value = True
        await asyncio.wait_for(aborted.wait(), WITHIN_S)

    asyncio.run(run())


@pytest.mark.parametrize("parts", [1, 2, 0])
@pytest.mark.parametrize(
    "body",
    [
        b"Content-Length: 42\r\n\r\nGET /hidden HTTP/1.1\r\nHost: localhost\r\n\r\n ",
        b"Transfer-Encoding: chunked\r\n\r\n4\r\nbody\r\n0\r\n\r\n",
        b"\r\n",
    ],
)
def test_a_foreign_upgrade_is_ignored_and_the_body_read(body: bytes, parts: int) -> None:
    """Java's HttpClient asks for h2c with every request, a body or not. `parts` 0: byte by byte."""

    async def run(server: Server, streams: Streams) -> tuple[list[bytes], list[str]]:
        reader, writer = streams
        server.may_answer.set()
        connection = b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAEAAEAAAAIAAAAB\r\n"
        sent = GET.replace(b"GET", b"POST") + connection + body
        half = len(sent) - len(body) // 2
        for part in {1: [sent], 2: [sent[:half], sent[half:]], 0: [bytes([one]) for one in sent]}[parts]:
            writer.write(part)
            await asyncio.sleep(0)
        answers = [await reader.readuntil(b"\r\n\r\n")]
        writer.write(GET.replace(b"/", b"/next", 1) + b"\r\n")
        answers.append(await reader.readuntil(b"\r\n\r\n"))
        return answers, server.asked

    answers, asked = with_one(run, timeout_s=WITHIN_S)  # how long sending takes is not the matter here

    assert [answer[:12] for answer in answers] == [b"HTTP/1.1 200"] * 2
    assert not any(b"connection: close" in answer for answer in answers)
    assert asked == ["/", "/next"]


def test_an_ignored_upgrade_leaves_what_else_stands_in_connection() -> None:
    async def run(server: Server, streams: Streams) -> bytes:
        reader, writer = streams
        server.may_answer.set()
        writer.write(GET + b"Connection: Upgrade, close\r\nUpgrade: h2c\r\n\r\n")
        return await reader.read()

    assert b"connection: close" in with_one(run)


def test_a_handshake_that_is_none_is_refused() -> None:
    async def run(server: Server, streams: Streams) -> bytes:
        reader, writer = streams
        writer.write(GET + UPGRADE + WEBSOCKET + b"Content-Length: 5\r\n\r\nhello")
        answer = await reader.read()
        await server.until_nobody_is_left()
        return answer[:12]

    assert with_one(run) == b"HTTP/1.1 400"


@pytest.mark.parametrize("behind", [b"nonsense\r\n\r\n", b"GET /half HTTP/1.1\r\n"])
def test_what_is_wrong_with_the_next_request_is_told_after_this_one_is_answered(behind: bytes) -> None:
    async def run(server: Server, streams: Streams) -> list[bytes]:
        reader, writer = streams
        writer.write(GET + b"\r\n")
        await server.is_asked.wait()
        writer.write(behind)
        await asyncio.sleep(TIMEOUT_S)  # whatever would be said of it too early
        server.may_answer.set()
        return (await reader.read()).split(b"HTTP/1.1 ")

    answers = with_one(run)

    assert [answer[:3] for answer in answers] == [b"", b"200", b"400" if behind.startswith(b"nonsense") else b"408"]


def test_nothing_is_begun_for_who_does_not_read() -> None:
    """How much the kernel takes cannot be arranged: so this transport says itself whether somebody reads."""

    async def run() -> list[int]:
        server = Server()
        server.may_answer.set()
        transport = Mock(asyncio.Transport, get_extra_info=Mock(return_value=None), is_closing=Mock(return_value=False))
        protocol = server.protocol()()
        protocol.connection_made(transport)
        protocol.pause_writing()
        protocol.data_received(3 * (GET + b"\r\n"))
        for _ in range(10):
            await asyncio.sleep(0)  # whatever was begun is asked for in these turns of the loop
        begun = [len(server.asked)]
        protocol.resume_writing()
        async with asyncio.timeout(WITHIN_S):
            while len(server.asked) < 3:  # noqa: ASYNC110  # the app tells of the first only
                await asyncio.sleep(0)
        protocol.connection_lost(None)
        return [*begun, len(server.asked)]

    assert asyncio.run(run()) == [0, 3]


def test_one_connection_too_many_is_told() -> None:
    """It counts itself: the limit is the number of connections at which one more is refused."""

    async def run() -> list[bytes]:
        server, answers = Server(), list[bytes]()
        server.may_answer.set()
        made = await asyncio.get_running_loop().create_server(server.protocol(most=3), "127.0.0.1", 0)
        async with made, asyncio.timeout(WITHIN_S):
            streams = []
            for _ in range(3):
                streams.append(await asyncio.open_connection(*made.sockets[0].getsockname()))
                streams[-1][1].write(GET + b"\r\n")
                answers.append((await streams[-1][0].readuntil(b"\r\n\r\n"))[9:12])
            for _, writer in streams:
                writer.close()
        return answers

    assert asyncio.run(run()) == [b"200", b"200", b"503"]
