"""How the server speaks HTTP to clients: no endless patience with who is slow. What it reads is in `request_framing.py`.

uvicorn waits for ever for the rest of a head or a body and for an answer to be read. A few thousand such connections, which
cost their owner nothing, would be all that a process can hold (Slowloris).
"""

from asyncio import Transport
from asyncio.events import TimerHandle
from typing import Self

from vote.metrics import CUT_OFF
from vote.server.request_framing import FramingProtocol

TOO_SLOW = b"The request did not arrive in time.\n"


class FrontDoorProtocol(FramingProtocol):
    """One connection. A client has `timeout_s` for the head of a request, as much for the body, as much to read an answer.

    Deadlines are looked at by one timer per connection that is set again when it fires, so a request costs none.
    """

    timeout_s = 15.0  # CLIENT_TIMEOUT_S, set before the first connection

    @classmethod
    def with_timeout(cls, seconds: float) -> type[Self]:
        """The protocol with this patience: uvicorn makes one from the class for each connection."""
        return type(cls.__name__, (cls,), {"timeout_s": seconds})

    _sending_since: float | None = None  # when we began to wait for the rest of a head or a body; None: for nothing
    _unread_since: float | None = None  # when the client stopped reading; None: it reads
    _idle_since: float | None = None  # when the last answer was given; None: a request has begun
    _is_leaving = False  # was told to close, and looked at once since
    _timer: TimerHandle | None = None

    def connection_made(self, transport: Transport) -> None:  # type: ignore[override]
        """Who says nothing at all is waited for no longer than who says half of it."""
        super().connection_made(transport)
        self._sending_since = self.loop.time()
        self._timer = self.loop.call_later(self.timeout_s, self._look)

    def connection_lost(self, exc: Exception | None) -> None:
        """Nobody is there to wait for."""
        self._forget()
        super().connection_lost(exc)

    def on_headers_complete(self) -> None:
        """The head is there; the body has its own time. Raises ValueError, to the parser, when the head is refused."""
        super().on_headers_complete()
        self._sending_since = self.loop.time()

    def on_message_complete(self) -> None:
        """All is there; what comes next is another head."""
        self._sending_since = None
        super().on_message_complete()
        if self._is_in_head and self.cycle is not None and self.cycle.response_complete:
            self._idle_since = self.loop.time()  # it was answered before its body was here

    def on_response_complete(self) -> None:
        """Go on with what was sent ahead, or be idle: uvicorn would set and cancel a timer of its own for each request."""
        super().on_response_complete()
        if not self._ahead and self._is_in_head:
            self._idle_since = self.loop.time()

    def handle_websocket_upgrade(self) -> None:
        """From here on it is a watcher (`vote/live/protocol.py`)."""
        self._forget()
        super().handle_websocket_upgrade()

    def pause_writing(self) -> None:
        """The client leaves much unread."""
        self._unread_since = self.loop.time()
        super().pause_writing()

    def resume_writing(self) -> None:
        """It has read."""
        self._unread_since = None
        super().resume_writing()

    def _feed(self, part: bytes) -> bool:
        """Something came; whether it completes a head or a body is said by the parser's calls."""
        self._idle_since = None
        if self._sending_since is None:
            self._sending_since = self.loop.time()
        return super()._feed(part)

    def _look(self) -> None:
        now = self.loop.time()
        if self.transport.is_closing():
            self._leave()
            return
        began = [since for since in (self._sending_since, self._unread_since) if since is not None]
        left_s = min(began, default=now) + self.timeout_s - now
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
        self._look_in(self.timeout_s)

    def _look_in(self, seconds: float) -> None:
        self._timer = self.loop.call_later(seconds, self._look)

    def _leave(self) -> None:
        """A closing connection waits for what is unread to be read: for a patience or two, not for ever."""
        if self._is_leaving:
            CUT_OFF.labels("answer").inc()
            self.transport.abort()
        else:
            self._is_leaving = True
            self._look_in(self.timeout_s)

    def _forget(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
