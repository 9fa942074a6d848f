"""A reader that does not read, on a real server: others get their news on time, it costs little and is let go."""

import asyncio
import base64
import contextlib
import os
import socket
import threading
import time
import tracemalloc
from collections.abc import Iterator
from typing import ClassVar

import pytest
import websocket

from tests.integration.live.conftest import GRACE_S, SOON_S, serving
from tests.stack import wait_until
from vote.live import connection as module
from vote.live.admission import Viewer
from vote.live.connection import Connection
from vote.live.hub import Hub
from vote.live.messages import SnapshotMessage
from vote.live.protocol import WatcherProtocol
from vote.server.raw_response import Receive, Scope, Send

NEWS_BYTES = 64 * 1024  # far more than a snapshot, so that the buffers of a stuck reader are full soon
ROUNDS = 400
MAY_COST_BYTES = 1_000_000


class Broadcast:
    """A server whose sockets are real connections to a hub, and whose news the test makes."""

    def __init__(self) -> None:
        self.hub: Hub[Connection] = Hub()
        self.loop: asyncio.AbstractEventLoop | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            for phase in ("startup", "shutdown"):
                await receive()
                self.loop = asyncio.get_running_loop()
                await send({"type": f"lifespan.{phase}.complete"})
            return
        await receive()
        connection = Connection(1, Viewer(), self.hub)
        await send({"type": "websocket.accept"})
        self.hub.join(connection, SnapshotMessage(1, 0, "0"))
        await connection.serve(receive, send)

    def publish(self, version: int) -> None:
        """Tell everybody."""
        text = f"{version}".ljust(NEWS_BYTES)

        def tell() -> None:
            for connection in self.hub.publish(SnapshotMessage(1, version, text)):
                connection.wake()

        assert self.loop is not None
        self.loop.call_soon_threadsafe(tell)


@contextlib.contextmanager
def reader_that_never_reads(port: int) -> Iterator[socket.socket]:
    """A socket after the handshake, with the smallest buffer there is."""
    with socket.socket() as stuck:
        stuck.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1024)
        stuck.settimeout(SOON_S)
        stuck.connect(("127.0.0.1", port))
        key = base64.b64encode(os.urandom(16)).decode()
        stuck.sendall(
            f"GET /live/1 HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            f"Sec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n\r\n".encode()
        )
        assert stuck.recv(12) == b"HTTP/1.1 101"
        yield stuck


def test_a_reader_that_does_not_read_delays_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "SEND_DEADLINE_S", 60.0)  # it stays for the whole test
    site = Broadcast()
    with serving(site) as port, reader_that_never_reads(port):
        quick = websocket.create_connection(
            f"ws://127.0.0.1:{port}/live/1", timeout=SOON_S, http_no_proxy=["*"], skip_utf8_validation=True
        )
        assert quick.recv() == "0"
        wait_until(lambda: len(site.hub.watchers(1)) == 2, what="both watch")
        tracemalloc.start()

        for version in range(1, ROUNDS + 1):
            site.publish(version)
            assert int(quick.recv()) == version
        cost, _peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()

        waiting = [one for one in site.hub.watchers(1) if one.unsent is not None]
        assert [one.unsent.version for one in waiting if one.unsent] == [ROUNDS], "the newest waits for it, alone"
        assert cost < MAY_COST_BYTES, f"{ROUNDS * NEWS_BYTES} bytes were told"
        site.loop.call_soon_threadsafe(waiting[0].end, None)  # type: ignore[union-attr]
        quick.close()


def test_a_reader_that_does_not_read_is_let_go(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "SEND_DEADLINE_S", 0.2)
    site = Broadcast()
    with serving(site) as port, reader_that_never_reads(port):
        wait_until(lambda: site.hub.watchers(1), what="it watches")
        pause = threading.Event()

        for version in range(1, 10_000):
            site.publish(version)
            pause.wait(0.005)  # time to fill the buffers, never waited for
            if not site.hub.watchers(1):
                break

        assert site.hub.watched() == []


class SeenProtocol(WatcherProtocol):
    """Lets the test look at the server's side of each connection."""

    seen: ClassVar[list["SeenProtocol"]] = []

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self.seen.append(self)


PING = b"\x89\xfd\x00\x00\x00\x00" + b"x" * 125  # masked with zeros, the longest there is


@pytest.fixture
def seen() -> Iterator[list[SeenProtocol]]:
    SeenProtocol.seen.clear()
    yield SeenProtocol.seen
    SeenProtocol.seen.clear()


def test_pings_whose_answers_are_not_read_cost_nothing(seen: list[SeenProtocol]) -> None:
    site = Broadcast()
    with serving(site, SeenProtocol) as port, reader_that_never_reads(port) as noisy:
        wait_until(lambda: site.hub.watchers(1), what="it watches")

        with contextlib.suppress(ConnectionError):  # so many at once may be cut off (input_limits.py)
            for _ in range(200):
                noisy.sendall(PING * 1000)
        watcher = seen[0]
        wait_until(lambda: not watcher.writable.is_set() or watcher.transport.is_closing(), what="it is stuck, or gone")

        assert watcher.transport.get_write_buffer_size() < MAY_COST_BYTES


def test_a_reader_that_answers_no_ping_is_let_go() -> None:
    site = Broadcast()
    with serving(site, ping_s=0.2) as port, reader_that_never_reads(port):
        wait_until(lambda: site.hub.watchers(1), what="it watches")

        wait_until(lambda: not site.hub.watchers(1), what="it is let go")


def test_a_reader_that_does_not_read_does_not_hold_up_the_end(seen: list[SeenProtocol]) -> None:
    site = Broadcast()
    with contextlib.ExitStack() as client, serving(site, SeenProtocol) as port:
        client.enter_context(reader_that_never_reads(port))  # closed after the server has stopped
        wait_until(lambda: site.hub.watchers(1), what="it watches")

        def is_stuck() -> bool:
            site.publish(site.hub.watchers(1)[0].given + 1)
            return not seen[0].writable.is_set()

        wait_until(is_stuck, what="it is stuck")
        began = time.monotonic()
    assert time.monotonic() - began < GRACE_S
