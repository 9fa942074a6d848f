"""How the server speaks WebSocket to watchers: uvicorn's own protocol, and no patience with who does not read.

uvicorn answers each ping at once, whether the answers are read or not, waits for a stuck reader before it lets a connection
go, and takes as many frames as come. Strangers can make each cost memory and time without end (`ws` in
`vote.ops.gunicorn_conf` names this).
"""

import asyncio
from collections.abc import Callable

from uvicorn._types import ASGISendEvent
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.frames import CloseCode, Frame
from websockets.http11 import Request

from vote.input_limits import SOCKET_FRAGMENTS_MAX, SOCKET_FRAMES_PER_S
from vote.server.raw_response import Scope

FRAMES = "vote.frames"  # our name among the extensions of ASGI
READ_AT_ONCE_BYTES = 1024  # of what came: between two such parts it is looked whether there were too many frames
REFUSED = b"HTTP/1.1 400 Bad Request\r\nconnection: close\r\ncontent-length: 0\r\n\r\n"


class WatcherProtocol(WebSocketsSansIOProtocol):
    """One connection. `writable` is uvicorn's: not set while the reader leaves too much unread."""

    _second, _frames_in_second = 0, 0

    def handle_connect(self, event: Request) -> None:
        """Begin; the app may also write frames that it has made itself."""
        super().handle_connect(event)
        if not self.close_sent:
            self.scope["extensions"][FRAMES] = {"write": self.write_frame}

    def data_received(self, data: bytes) -> None:
        """The head comes first, and whole. One that the library refuses is answered here: uvicorn would never say a word."""
        if self.handshake_initiated:
            for at in range(0, len(data), READ_AT_ONCE_BYTES):
                super().data_received(data[at : at + READ_AT_ONCE_BYTES])
                if self.transport.is_closing():
                    return
            return
        super().data_received(data)
        if not self.handshake_initiated and not self.transport.is_closing():
            self.transport.write(REFUSED)
            self.transport.close()

    def write_frame(self, frame: bytes) -> bool:
        """Write one whole text frame, which needs no state of ours. False when it would wait, or there is nobody."""
        if not self.writable.is_set() or self.close_sent or self.transport.is_closing():
            return False
        self.transport.write(frame)
        return True

    async def send(self, message: ASGISendEvent) -> None:
        """Send what the app says. An HTTP answer ends the handshake too: uvicorn forgets it and reports each as an error."""
        await super().send(message)
        self.handshake_complete = self.handshake_complete or self.close_sent

    def handle_text(self, event: Frame) -> None:
        """The first frame of a text."""
        if self._may_go_on():
            super().handle_text(event)

    def handle_bytes(self, event: Frame) -> None:
        """The first frame of something else."""
        if self._may_go_on():
            super().handle_bytes(event)

    def handle_cont(self, event: Frame) -> None:
        """One more frame of a message. Empty ones count too: they would be kept for as long as a message has no end."""
        if self._may_go_on(len(self.frames)):
            super().handle_cont(event)

    def handle_pong(self, event: Frame) -> None:
        """An answer to a ping, or none."""
        if self._may_go_on():
            super().handle_pong(event)

    def send_receive_event_to_app(self) -> None:
        """Give a whole message to the app. Text that is none ends the connection; uvicorn would write a trace of it."""
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
        """Count a frame. False when it is one too many, of its second or of its message: then this connection is over."""
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
            if self.conn.close_sent is None:  # it was not let in yet, and was told nothing
                self.transport.abort()
                return
            self.handle_parser_exception()
            self._drop_when_stuck()

    def shutdown(self) -> None:
        """Say goodbye; to a reader that is stuck in vain."""
        super().shutdown()
        self._drop_when_stuck()

    def on_task_complete(self, task: "asyncio.Task[None]") -> None:
        """The app is done with this connection."""
        super().on_task_complete(task)
        self._drop_when_stuck()

    def _drop_when_stuck(self) -> None:
        """What is unread would keep the connection open for as long as the reader likes."""
        if not self.writable.is_set():
            self.transport.abort()


def writer_of(scope: Scope) -> Callable[[bytes], bool] | None:
    """`write_frame` of the connection behind a scope; None where another server serves it."""
    found: Callable[[bytes], bool] | None = scope.get("extensions", {}).get(FRAMES, {}).get("write")
    return found
