"""How the server speaks WebSocket to watchers: uvicorn's own protocol, and no patience with who does not read.

uvicorn answers each ping at once, whether the answers are read or not, and waits for a stuck reader before it lets a
connection go. Strangers can make both cost memory and time without end (`ws` in `vote.ops.gunicorn_conf` names this).
"""

import asyncio
from collections.abc import Callable

from uvicorn._types import ASGISendEvent
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.http11 import Request

from vote.edge.answer import Scope

FRAMES = "vote.frames"  # our name among the extensions of ASGI
REFUSED = b"HTTP/1.1 400 Bad Request\r\nconnection: close\r\ncontent-length: 0\r\n\r\n"


class WatcherProtocol(WebSocketsSansIOProtocol):
    """One connection. `writable` is uvicorn's: not set while the reader leaves too much unread."""

    def handle_connect(self, event: Request) -> None:
        """Begin; the app may also write frames that it has made itself."""
        super().handle_connect(event)
        if not self.close_sent:
            self.scope["extensions"][FRAMES] = {"write": self.write_frame}

    def data_received(self, data: bytes) -> None:
        """The head comes first, and whole. One that the library refuses is answered here: uvicorn would never say a word."""
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

    def handle_ping(self) -> None:
        """Answer, unless earlier answers were not read."""
        if self.writable.is_set():
            super().handle_ping()
        else:
            self.conn.data_to_send()  # the answer is made already: drop it

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
