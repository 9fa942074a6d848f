"""Live results on a real server: uvicorn with just this endpoint, in a thread, on a port of its own."""

import asyncio
import contextlib
import json
import socket
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Any

import pytest
import uvicorn
import websocket

from vote.db import tallies
from vote.db.pool import Database
from vote.identity import sessions
from vote.identity.authenticator import Authenticator
from vote.live.endpoint import LiveEndpoint
from vote.live.protocol import WatcherProtocol
from vote.server.raw_response import App, Receive, Scope, Send
from vote.server.request_id import identify
from vote.services.container import Services

SOON_S = 15.0  # a deadline for what should happen at once, not a measurement
GRACE_S = 5  # what the server gives connections that do not end


@contextlib.contextmanager
def serving(app: App, protocol: type[WatcherProtocol] = WatcherProtocol, ping_s: float | None = None) -> Iterator[int]:
    """The port on which uvicorn serves `app`, with the settings of the front door."""
    listener = socket.create_server(("127.0.0.1", 0))
    config = uvicorn.Config(
        app, log_config=None, loop="uvloop", lifespan="on", ws=protocol, ws_max_size=4096,
        ws_ping_interval=ping_s, ws_ping_timeout=ping_s, ws_per_message_deflate=False,
        proxy_headers=False, timeout_graceful_shutdown=GRACE_S,
    )  # fmt: skip
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, args=([listener],))
    thread.start()
    try:
        deadline = time.monotonic() + SOON_S
        while not server.started:
            assert thread.is_alive(), "the server did not start"
            assert time.monotonic() < deadline
            thread.join(0.01)
        yield int(listener.getsockname()[1])
    finally:
        server.should_exit = True
        thread.join(SOON_S)
        listener.close()
        assert not thread.is_alive(), "the server did not stop"


async def lifespan(receive: Receive, send: Send, live: LiveEndpoint) -> None:
    """What the front door does around it."""
    for phase, step in (("startup", live.start), ("shutdown", live.stop)):
        message = await receive()
        assert message["type"] == f"lifespan.{phase}"
        await step()
        await send({"type": f"lifespan.{phase}.complete"})


class Site:
    """The running endpoint, and clients of it."""

    def __init__(
        self, port: int, services: Services, live: LiveEndpoint, loop: "list[asyncio.AbstractEventLoop]"
    ) -> None:
        self.port, self.parts, self.live = port, services, live
        self.host = f"127.0.0.1:{port}"
        self.origin = f"http://{self.host}"
        self._loop = loop
        self._opened: list[websocket.WebSocket] = []

    def in_loop(self, step: Callable[[], Any]) -> Any:
        """Run a coroutine function in the server's loop."""
        return asyncio.run_coroutine_threadsafe(step(), self._loop[0]).result(SOON_S)

    def cookie(self, user_id: int, *, sid: str = "sid-of-the-test", ago_s: float = 0) -> str:
        """The cookie of somebody who logged in a while ago."""
        session: dict[str, Any] = {}
        sessions.begin(session, user_id, now=time.time() - ago_s)
        session["sid"] = sid
        return sessions.SessionCookie(self.parts.settings).write(session).partition(";")[0]

    def open(
        self,
        competition: object,
        *,
        origin: str | None = None,
        cookie: str | None = None,
        host: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> websocket.WebSocket:
        """Open a socket. Raises WebSocketBadStatusException with the status of a refusal."""
        opened = websocket.create_connection(
            f"ws://127.0.0.1:{self.port}/live/{competition}",
            timeout=SOON_S,
            origin=origin,
            suppress_origin=origin is None,
            cookie=cookie,
            host=host,
            header=[f"{name}: {value}" for name, value in (headers or {}).items()],
            http_no_proxy=["*"],
        )
        self._opened.append(opened)
        return opened

    def refused(self, competition: object, **how: Any) -> int:
        """The status of a handshake: 101 when it is let in."""
        try:
            self.open(competition, **how).close()
        except websocket.WebSocketBadStatusException as refusal:
            return int(refusal.status_code)
        return 101

    def close(self) -> None:
        for one in self._opened:
            one.shutdown()


def snapshot(opened: websocket.WebSocket) -> Any:
    """The next snapshot."""
    return json.loads(opened.recv())


def snapshot_with(opened: websocket.WebSocket, total: int) -> Any:
    """The snapshot with this total; those on the way to it are passed over."""
    while True:
        one = snapshot(opened)
        if one["total"] >= total:
            return one


def close_code(opened: websocket.WebSocket) -> int:
    """The code with which the server closes; news on the way is passed over."""
    while True:
        opcode, data = opened.recv_data()
        if opcode == websocket.ABNF.OPCODE_CLOSE:
            return int.from_bytes(data[:2], "big")


@contextlib.contextmanager
def running(services: Services) -> Iterator[Site]:
    """The endpoint on these parts."""
    live = LiveEndpoint(
        services, Authenticator(services.settings, services.revocations), sessions.SessionCookie(services.settings)
    )
    loop: list[asyncio.AbstractEventLoop] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            loop.append(asyncio.get_running_loop())
            await lifespan(receive, send, live)
        else:
            identify(scope, is_from_proxy=False)
            await live(scope, receive, send)

    with serving(app) as port:
        site = Site(port, services, live, loop)
        try:
            yield site
        finally:
            site.close()


@pytest.fixture
def site(services: Services) -> Iterator[Site]:
    """The endpoint, as in development: no PUBLIC_URL."""
    with running(services) as one:
        yield one


@pytest.fixture
def public_site(services: Services) -> Iterator[Site]:
    """The endpoint behind https://vote.example."""
    settings = services.settings.model_copy(update={"public_url": "https://vote.example"})
    with running(replace(services, settings=settings)) as one:
        yield one


@pytest.fixture
def count_votes(owner: Database) -> Callable[..., None]:
    """Adds to a tally as the worker does: `count_votes(competition, a=2, b=1)`."""

    def count(competition: int, *, shard: int = 0, **votes: int) -> None:
        with owner.transaction(by="tests") as tx:
            tallies.add(tx, shard, {(competition, key): number for key, number in votes.items()})

    return count
