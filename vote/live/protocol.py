"""Speaks WebSocket to watchers: uvicorn's own protocol, with limits on clients that do not read.

uvicorn answers each ping at once, whether or not the answers are read, waits for a stuck reader before it drops a
connection, and accepts any number of frames. Each of these would let strangers use unlimited memory and time (`ws` in
`vote.ops.gunicorn_conf` selects this class).
"""

import asyncio
from collections.abc import Callable

from uvicorn._types import ASGISendEvent
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.frames import CloseCode, Frame
from websockets.http11 import Request

from vote.input_limits import SOCKET_FRAGMENTS_MAX, SOCKET_FRAMES_PER_S
from vote.server.raw_response import Scope

FRAMES = "vote.frames"  # our name among the ASGI extensions
READ_AT_ONCE_BYTES = 1024  # received data is handled in such parts, with a check of the frame limit in between
REFUSED = b"HTTP/1.1 400 Bad Request\r\nconnection: close\r\ncontent-length: 0\r\n\r\n"


class WatcherProtocol(WebSocketsSansIOProtocol):
    """A WebSocket connection. `writable` is uvicorn's event: not set while the client leaves too much unread."""

    _second, _frames_in_second = 0, 0

    def handle_connect(self, event: Request) -> None:
        """Begin, and offer the app `write_frame` for prepared frames."""
        super().handle_connect(event)
        if not self.close_sent:
            self.scope["extensions"][FRAMES] = {"write": self.write_frame}

    def data_received(self, data: bytes) -> None:
        """Handle the head of the request, whole, then frames. A refused head is answered here: uvicorn never would."""
        if self.handshake_initiated:
            for start in range(0, len(data), READ_AT_ONCE_BYTES):
                super().data_received(data[start : start + READ_AT_ONCE_BYTES])
                if self.transport.is_closing():
                    return
            return
        super().data_received(data)
        if not self.handshake_initiated and not self.transport.is_closing():
            self.transport.write(REFUSED)
            self.transport.close()

    def write_frame(self, frame: bytes) -> bool:
        """Write a whole text frame. Returns False if that would block, or if nobody is connected."""
        if not self.writable.is_set() or self.close_sent or self.transport.is_closing():
            return False
        self.transport.write(frame)
        return True

    async def send(self, message: ASGISendEvent) -> None:
        """Send the app's message. An HTTP answer completes the handshake too: uvicorn forgets that and logs errors."""
        await super().send(message)
        self.handshake_complete = self.handshake_complete or self.close_sent

    def handle_text(self, event: Frame) -> None:
        """Count and handle the first frame of a text message."""
        if self._may_go_on():
            super().handle_text(event)

    def handle_bytes(self, event: Frame) -> None:
        """Count and handle the first frame of a binary message."""
        if self._may_go_on():
            super().handle_bytes(event)

    def handle_cont(self, event: Frame) -> None:
        """Count and handle a further frame of a message. Empty ones count: they are kept while the message lasts."""
        if self._may_go_on(len(self.frames)):
            super().handle_cont(event)

    def handle_pong(self, event: Frame) -> None:
        """Count and handle a pong, whether or not a ping was sent."""
        if self._may_go_on():
            super().handle_pong(event)

    def send_receive_event_to_app(self) -> None:
        """Give a whole message to the app. Invalid UTF-8 ends the connection; uvicorn would log a traceback."""
        if self.curr_msg_data_type == "text":
            try:
                b"".join(self.frames).decode("utf-8")
            except UnicodeDecodeError:
                self._end(CloseCode.INVALID_DATA)
                return
        super().send_receive_event_to_app()

    def handle_ping(self) -> None:
        """Answer, unless earlier answers were not read."""
        if not self._may_go_on():
            return
        if self.writable.is_set():
            super().handle_ping()
        else:
            self.conn.data_to_send()  # the answer is made already: drop it

    def _may_go_on(self, fragments: int = 0) -> bool:
        """Count a frame. Returns False, and ends the connection, beyond the limit per second or per message."""
        second = int(self.loop.time())
        self._frames_in_second = self._frames_in_second + 1 if second == self._second else 1
        self._second = second
        if fragments >= SOCKET_FRAGMENTS_MAX:
            self._end(CloseCode.MESSAGE_TOO_BIG)
        elif self._frames_in_second > SOCKET_FRAMES_PER_S:
            self._end(CloseCode.POLICY_VIOLATION)
        return not self.close_sent and not self.transport.is_closing()

    def _end(self, code: CloseCode) -> None:
        """Close at once, and let the app know."""
        self.frames = []
        if not self.close_sent:
            self.conn.fail(code)
            if self.conn.close_sent is None:  # the handshake is not complete: there is nothing to close
                self.transport.abort()
                return
            self.handle_parser_exception()
            self._drop_when_stuck()

    def shutdown(self) -> None:
        """Close when the server shuts down; drop a reader that is stuck."""
        super().shutdown()
        self._drop_when_stuck()

    def on_task_complete(self, task: "asyncio.Task[None]") -> None:
        """Drop a stuck reader once the app is done with this connection."""
        super().on_task_complete(task)
        self._drop_when_stuck()

    def _drop_when_stuck(self) -> None:
        """Abort a connection whose client does not read: unread data would keep it open for as long as the client likes."""
        if not self.writable.is_set():
            self.transport.abort()


def writer_of(scope: Scope) -> Callable[[bytes], bool] | None:
    """Return `write_frame` of the connection behind a scope; None where another server serves it."""
    write: Callable[[bytes], bool] | None = scope.get("extensions", {}).get(FRAMES, {}).get("write")
    return write
