"""Limits how long clients may take to send a request or to read an answer. `request_framing.py` limits what they send.

uvicorn waits forever for the rest of a head or a body, and for an answer to be read. A few thousand such connections
cost their owner nothing and would use up a process (Slowloris).
"""

from asyncio import Transport
from asyncio.events import TimerHandle
from typing import Self

from vote.metrics.registry import start_at_zero
from vote.metrics.web import CUT_OFF
from vote.server.request_framing import FramingProtocol

WAITED_FOR = ("head", "body", "answer")  # labels of CUT_OFF
TOO_SLOW = b"The request did not arrive in time.\n"


class FrontDoorProtocol(FramingProtocol):
    """An HTTP connection with deadlines. A client has `timeout_s` for a request's head, for its body, and to read an
    answer.

    Each connection has one timer that is set again when it fires, so requests set none.
    """

    timeout_s = 15.0  # CLIENT_TIMEOUT_S, set before the first connection

    @classmethod
    def with_timeout(cls, seconds: float) -> type[Self]:
        """Return a subclass with this timeout; uvicorn instantiates it for each connection."""
        start_at_zero(CUT_OFF, *WAITED_FOR)
        return type(cls.__name__, (cls,), {"timeout_s": seconds})

    _sending_since: float | None = None  # start of waiting for the rest of a head or a body; None: not waiting
    _unread_since: float | None = None  # when the client stopped reading; None: it is reading
    _idle_since: float | None = None  # end of the last answer; None: a request has begun
    _is_leaving = False  # closing, and checked once since
    _closes_after_answer = False
    _timer: TimerHandle | None = None

    def connection_made(self, transport: Transport) -> None:  # type: ignore[override]
        """Start the deadline: a client that sends nothing gets no longer than one that sends half a head."""
        super().connection_made(transport)
        self._sending_since = self.loop.time()
        self._timer = self.loop.call_later(self.timeout_s, self._look)

    def connection_lost(self, exc: Exception | None) -> None:
        """Cancel the timer."""
        self._forget()
        super().connection_lost(exc)

    def close_after_answer(self) -> None:
        """Let the answer that is due, or the next one, be the connection's last."""
        self._closes_after_answer = True
        if self.cycle is not None and not self.cycle.response_complete:
            self.cycle.keep_alive = False

    def on_headers_complete(self) -> None:
        """Restart the deadline for the body. Raises ValueError, to the parser, when the head is refused."""
        super().on_headers_complete()
        if self._closes_after_answer and self.cycle is not None:
            self.cycle.keep_alive = False  # the answer says so too
        self._sending_since = self.loop.time()

    def on_message_complete(self) -> None:
        """Stop the deadline: the request is complete."""
        self._sending_since = None
        super().on_message_complete()
        if self._is_in_head and self.cycle is not None and self.cycle.response_complete:
            self._idle_since = self.loop.time()  # answered before its body had arrived

    def on_response_complete(self) -> None:
        """Continue with pipelined requests, or go idle, without uvicorn's own timer for each request."""
        super().on_response_complete()
        if not self._ahead and self._is_in_head:
            self._idle_since = self.loop.time()

    def handle_websocket_upgrade(self) -> None:
        """Hand the connection over to the WebSocket protocol (`vote/live/protocol.py`)."""
        self._forget()
        super().handle_websocket_upgrade()

    def pause_writing(self) -> None:
        """Start the deadline for reading: the client leaves too much unread."""
        self._unread_since = self.loop.time()
        super().pause_writing()

    def resume_writing(self) -> None:
        """Stop the deadline for reading."""
        self._unread_since = None
        super().resume_writing()

    def _feed(self, part: bytes) -> bool:
        """Feed the parser, whose callbacks report complete heads and bodies. Starts the deadline if none runs."""
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
        """Abort a closing connection whose client does not read, after one or two timeouts."""
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
