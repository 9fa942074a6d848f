"""An open-loop HTTP client: each request is sent when it is due, whatever became of those before it.

`pace` says when each one is due, `Client` sends it over keep-alive connections. A request that finds no free connection
waits for one while its time runs, so a stall of the service costs what it would cost people. `vote load`, the soak, the
storm and the benches use it; one core drives several thousand requests a second.
"""

import asyncio
import contextlib
import time
from collections import deque
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import Any, NamedTuple, Self, cast

import httptools

from vote.errors import Unavailable
from vote.ops.load.target import Target

NO_ANSWER = 0  # the status of a request without an answer
TICK_S = 0.001  # the resolution of due times
BURST = 32  # the most requests to send before reading answers
CONNECT_WITHIN_S = 30.0
CONNECTING_AT_ONCE = 64  # a service may accept a thousand connections, but not within a millisecond
RECONNECT_AFTER_S = 0.1


class HttpAnswer(NamedTuple):
    """An answer. `sent`: when its request was sent, by time.monotonic(); when it was given up, if it never was."""

    status: int
    body: bytes
    sent: float


@dataclass(slots=True)
class PendingRequest:
    """A request without an answer yet; `sent` is 0 while it waits for a connection."""

    content: bytes
    on_answer: Callable[[HttpAnswer], None]
    sent: float = 0.0


async def pace(count: int, rate: float) -> AsyncIterator[tuple[int, float]]:
    """Yield each number below `count`, and the time it is due (time.monotonic()), not earlier: `rate` of them a second."""
    began = time.monotonic()
    for number in range(count):
        due, now = began + number / rate, time.monotonic()
        if now >= due and number % BURST == 0:
            await asyncio.sleep(0)  # behind schedule, but answers must still be read
        while now < due:
            await asyncio.sleep(max(due - now, TICK_S))
            now = time.monotonic()
        yield number, due


class Client:
    """A connection pool for one deployment; it belongs to one event loop.

    Connections are opened when requests wait for one, and a request whose connection cannot be opened has no answer. After
    `open_all` they are all kept open: one that is lost is opened again, and requests wait for it. `answer_within_s` is the
    longest a request may take once it is sent.
    """

    def __init__(self, target: Target, connections: int, *, answer_within_s: float | None = None) -> None:
        self.answer_within_s = answer_within_s
        self.sent_again = 0
        self._target, self._size, self._tls = target, connections, target.tls()
        self._connections: set[KeepAliveConnection] = set()
        self._idle: deque[KeepAliveConnection] = deque()  # a queue, so that they are used in turn
        self._waiting: deque[PendingRequest] = deque()
        self._opening: set[asyncio.Task[None]] = set()
        self._connecting = asyncio.Semaphore(CONNECTING_AT_ONCE)
        self._unanswered = 0
        self._is_drained = asyncio.Event()
        self._is_kept_open = self._is_closing = False

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_error: object) -> None:
        """Close every connection; requests without an answer have none."""
        self._is_closing = True
        for task in self._opening:
            task.cancel()
        for connection in self._connections:
            if connection.request is not None:
                self._waiting.append(connection.request)
                connection.request = None
            connection.abort()
        while self._waiting:
            self._finish(self._waiting.popleft(), NO_ANSWER)
        await asyncio.sleep(TICK_S)  # lets the event loop process that

    async def open_all(self) -> None:
        """Open every connection, and keep them open. Raises Unavailable."""
        try:
            async with asyncio.TaskGroup() as group:
                for _ in range(self._size):
                    group.create_task(self._connect())
        except ExceptionGroup as errors:
            error, accepted = errors.exceptions[0], len(self._connections)
            raise Unavailable(
                f"{self._target.url} accepted {accepted:,} of {self._size:,} connections: {error}"
            ) from error
        self._is_kept_open = True
        self._open_more()

    def send(self, content: bytes, on_answer: Callable[[HttpAnswer], None]) -> None:
        """Send a request as soon as a connection is free, and call `on_answer` once."""
        self._unanswered += 1
        self._is_drained.clear()
        self._waiting.append(PendingRequest(content, on_answer))
        self._send_waiting()

    async def ask(self, content: bytes) -> HttpAnswer:
        """Send a request and return its answer."""
        answer: asyncio.Future[HttpAnswer] = asyncio.get_running_loop().create_future()

        def deliver(given: HttpAnswer) -> None:
            if not answer.done():  # nobody waits any more when the caller was cancelled
                answer.set_result(given)

        self.send(content, deliver)
        return await answer

    async def drain(self, within_s: float) -> None:
        """Wait until every request has its answer, at most so long."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(within_s):
                while self._unanswered:
                    await self._is_drained.wait()

    def opened(self, connection: "KeepAliveConnection") -> None:
        """Use a new connection."""
        self._connections.add(connection)
        self._idle.append(connection)
        self._send_waiting()

    def answered(self, connection: "KeepAliveConnection", status: int, body: bytes) -> None:
        """Pass an answer on, and use the connection for the next request."""
        request, connection.request = connection.request, None
        if request is None:
            return  # nobody asked: a service that closes an idle connection may say so first
        self._finish(request, status, body)
        if connection.is_open:
            self._idle.append(connection)
            self._send_waiting()

    def lost(self, connection: "KeepAliveConnection", *, unheard: bool) -> None:
        """Open another connection in its place.

        A request on a connection that was closed while idle is sent again (RFC 9112 §9.3.1: a service may close an idle
        connection at any time, and a vote may be repeated). Any other request has no answer.
        """
        self._connections.discard(connection)
        with contextlib.suppress(ValueError):
            self._idle.remove(connection)
        request, connection.request = connection.request, None
        if request is not None and unheard:
            self.sent_again += 1
            self._waiting.appendleft(request)
        elif request is not None:
            self._finish(request, NO_ANSWER)
        self._send_waiting()

    def _send_waiting(self) -> None:
        while self._waiting and self._idle:
            self._idle.popleft().send(self._waiting.popleft())
        self._open_more()

    def _open_more(self) -> None:
        if self._is_closing:
            return
        busy = len(self._connections) - len(self._idle)
        wanted = self._size if self._is_kept_open else min(self._size, busy + len(self._waiting))
        for _ in range(wanted - len(self._connections) - len(self._opening)):
            task = asyncio.create_task(self._open())
            self._opening.add(task)
            task.add_done_callback(self._has_opened)

    def _has_opened(self, task: asyncio.Task[None]) -> None:
        self._opening.discard(task)
        self._open_more()

    async def _open(self) -> None:
        while True:
            with contextlib.suppress(OSError, TimeoutError):
                return await self._connect()
            if not self._is_kept_open:
                if self._waiting:
                    self._finish(self._waiting.popleft(), NO_ANSWER)
                return None
            await asyncio.sleep(RECONNECT_AFTER_S)

    async def _connect(self) -> None:
        loop, target = asyncio.get_running_loop(), self._target
        async with self._connecting, asyncio.timeout(CONNECT_WITHIN_S):
            await loop.create_connection(lambda: KeepAliveConnection(self), target.host, target.port, ssl=self._tls)

    def _finish(self, request: PendingRequest, status: int, body: bytes = b"") -> None:
        self._unanswered -= 1
        if not self._unanswered:
            self._is_drained.set()
        request.on_answer(HttpAnswer(status, body, request.sent or time.monotonic()))


class KeepAliveConnection(asyncio.Protocol):
    """HTTP/1.1 with keep-alive, one request at a time, with little work for each. `request` is the one under way."""

    _transport: asyncio.Transport

    def __init__(self, client: Client) -> None:
        self._client = client
        self._parser: Any = httptools.HttpResponseParser(self)
        self._timer: asyncio.TimerHandle | None = None
        self._body = b""
        self._has_answered = self._has_begun = False
        self.request: PendingRequest | None = None
        self.is_open = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Offer the connection to the client."""
        self._transport = cast(asyncio.Transport, transport)
        self.is_open = True
        self._client.opened(self)

    def send(self, request: PendingRequest) -> None:
        """Send a request; the connection must be open and free."""
        self.request, self._has_begun, self._body = request, False, b""
        request.sent = time.monotonic()
        if self._client.answer_within_s is not None:
            self._timer = asyncio.get_running_loop().call_later(self._client.answer_within_s, self.abort)
        self._transport.write(request.content)

    def data_received(self, data: bytes) -> None:
        """Parse an answer; close the connection if it is not HTTP."""
        self._has_begun = True
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError:
            self.abort()

    def on_body(self, part: bytes) -> None:
        """Called by the parser."""
        self._body += part

    def on_message_complete(self) -> None:
        """Called by the parser at the end of an answer. `Connection: close` ends the connection."""
        status = self._parser.get_status_code()
        if status < 200:  # RFC 9110 §15.2: an interim answer, the real one follows
            return
        self._has_answered = True
        self._stop_timer()
        if not self._parser.should_keep_alive():
            self.is_open = False
            self._transport.close()
        self._client.answered(self, status, self._body)

    def connection_lost(self, exc: Exception | None) -> None:
        """Notify the client. A request is unheard when the other side closed an idle connection instead of answering."""
        del exc
        self._stop_timer()
        unheard = self.is_open and self._has_answered and not self._has_begun
        self.is_open = False
        self._client.lost(self, unheard=unheard)

    def abort(self) -> None:
        """Close the connection at once, without TLS close messages."""
        self.is_open = False
        self._transport.abort()

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
