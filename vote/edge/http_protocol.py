"""How the server speaks HTTP to clients: uvicorn's own protocol, and no endless patience with who is slow.

uvicorn waits for ever for the rest of a head or a body and for an answer to be read, and takes heads of any size. A few
thousand such connections, which cost their owner nothing, would be all that a process can hold (Slowloris).
"""

from asyncio import Transport
from asyncio.events import TimerHandle
from typing import Self

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from vote.metrics import CUT_OFF

HEAD_MAX_BYTES = 32 * 1024  # a token, cookies and what browsers add are some 3 KB
TOO_LARGE = b"The head of this request is larger than 32 KiB.\n"
TOO_SLOW = b"The request did not arrive in time.\n"
FOREIGN = b"This server speaks HTTP/1.1 and WebSocket. Send the request without `Upgrade`.\n"


class FrontDoorProtocol(HttpToolsProtocol):
    """One connection. A client has `patience_s` for the head of a request, as much for the body, as much to read an answer.

    Deadlines are looked at by one timer per connection that is set again when it fires, so a request costs none.
    """

    patience_s = 15.0  # CLIENT_PATIENCE_S, set before the first connection

    @classmethod
    def with_patience(cls, seconds: float) -> type[Self]:
        """The protocol with this patience: uvicorn makes one from the class for each connection."""
        return type(cls.__name__, (cls,), {"patience_s": seconds})

    _sending_since: float | None = None  # when we began to wait for the rest of a head or a body; None: for nothing
    _unread_since: float | None = None  # when the client stopped reading; None: it reads
    _idle_since: float | None = None  # when the last answer was given; None: a request has begun
    _head_bytes = 0
    _is_in_head = True
    _is_foreign = False  # asks for a protocol that nobody speaks here, and has a body
    _is_leaving = False  # was told to close, and looked at once since
    _timer: TimerHandle | None = None

    def connection_made(self, transport: Transport) -> None:  # type: ignore[override]
        """Who says nothing at all is waited for no longer than who says half of it."""
        super().connection_made(transport)
        self._sending_since = self.loop.time()
        self._timer = self.loop.call_later(self.patience_s, self._look)

    def connection_lost(self, exc: Exception | None) -> None:
        """Nobody is there to wait for."""
        self._forget()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Something came; whether it completes a head or a body is said by the parser's calls below."""
        self._idle_since = None
        if self._sending_since is None:
            self._sending_since = self.loop.time()
        if self._is_in_head:
            self._head_bytes += len(data)
        super().data_received(data)
        if self._is_in_head and self._head_bytes > HEAD_MAX_BYTES and not self.transport.is_closing():
            self._turn_away(b"431 Request Header Fields Too Large", TOO_LARGE)

    def on_headers_complete(self) -> None:
        """The head is there; the body has its own time. Raises ValueError, to the parser, when the head is too large."""
        came_with_it, self._head_bytes = self._head_bytes, 0
        if came_with_it > HEAD_MAX_BYTES and self._size_of_head() > HEAD_MAX_BYTES:
            self._head_bytes = came_with_it
            raise ValueError("the head is too large")
        self._is_in_head = False
        self._sending_since = self.loop.time()
        is_foreign = self.parser.should_upgrade() and not self._should_upgrade()
        if is_foreign:
            self._refuse_a_body()
        super().on_headers_complete()
        if is_foreign:
            self.cycle.keep_alive = False

    def on_message_complete(self) -> None:
        """All is there; what comes next is another head."""
        self._is_in_head = True
        self._sending_since = None
        super().on_message_complete()
        if self.cycle is not None and self.cycle.response_complete:
            self._idle_since = self.loop.time()  # it was answered before its body was here

    def on_response_complete(self) -> None:
        """Go on with what was sent ahead, or be idle: uvicorn would set and cancel a timer of its own for each request."""
        if self.pipeline or self.transport.is_closing():
            super().on_response_complete()
            return
        self.server_state.total_requests += 1
        self.flow.resume_reading()
        self._idle_since = self.loop.time()

    def handle_websocket_upgrade(self) -> None:
        """From here on it is a watcher (`vote/live/protocol.py`)."""
        self._forget()
        super().handle_websocket_upgrade()

    def send_400_response(self, msg: str) -> None:
        """What the parser refused, also because we told it to."""
        if self._head_bytes > HEAD_MAX_BYTES:
            self._turn_away(b"431 Request Header Fields Too Large", TOO_LARGE)
        elif self._is_foreign:
            self._turn_away(b"400 Bad Request", FOREIGN)
        elif self._owes_an_answer():
            self.transport.close()
        else:
            super().send_400_response(msg)

    def pause_writing(self) -> None:
        """The client leaves much unread."""
        self._unread_since = self.loop.time()
        super().pause_writing()

    def resume_writing(self) -> None:
        """It has read."""
        self._unread_since = None
        super().resume_writing()

    def _refuse_a_body(self) -> None:
        """RFC 9110 §7.8: an Upgrade may be ignored. But the parser reads no body after one, and would take it for the next
        request. Without one the request is answered, and the connection ends with it. Raises ValueError, to the parser.
        """
        bodies = {name: value for name, value in self.headers if name in (b"content-length", b"transfer-encoding")}
        if bodies and bodies != {b"content-length": b"0"}:
            self._is_foreign = True
            raise ValueError("a body after an upgrade")

    def _look(self) -> None:
        now = self.loop.time()
        if self.transport.is_closing():
            self._leave()
            return
        began = [since for since in (self._sending_since, self._unread_since) if since is not None]
        left_s = min(began, default=now) + self.patience_s - now
        if self._idle_since is not None and now - self._idle_since >= self.timeout_keep_alive:
            self.transport.close()
        elif left_s > 0:
            self._look_in(left_s)
            return
        elif self._unread_since is not None:
            CUT_OFF.labels("answer").inc()
            self.transport.abort()
            return
        else:
            CUT_OFF.labels("head" if self._is_in_head else "body").inc()
            self._turn_away(b"408 Request Timeout", TOO_SLOW)
        self._look_in(self.patience_s)

    def _look_in(self, seconds: float) -> None:
        self._timer = self.loop.call_later(seconds, self._look)

    def _leave(self) -> None:
        """A closing connection waits for what is unread to be read: for a patience or two, not for ever."""
        if self._is_leaving:
            CUT_OFF.labels("answer").inc()
            self.transport.abort()
        else:
            self._is_leaving = True
            self._look_in(self.patience_s)

    def _owes_an_answer(self) -> bool:
        """Whether a request is under way that must not be told what is wrong with another one."""
        cycle = self.cycle
        if cycle is None or cycle.response_complete:
            return False
        return bool(self.pipeline) or cycle.response_started or not cycle.more_body

    def _turn_away(self, status: bytes, text: bytes) -> None:
        """Say why, where no answer is owed to another request, and end the connection; the app hears of it."""
        if not self._owes_an_answer():
            head = b"content-type: text/plain; charset=utf-8\r\nconnection: close\r\ncontent-length: %d" % len(text)
            self.transport.write(b"HTTP/1.1 %s\r\n%s\r\n\r\n%s" % (status, head, text))
        self.transport.close()

    def _size_of_head(self) -> int:
        return len(self.url) + sum(len(name) + len(value) for name, value in self.headers)

    def _forget(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
