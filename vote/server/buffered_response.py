"""An answer that is made whole first and sent afterwards: a place that others wait for is held while it is made, and free
while it is read.

Everything Flask answers is whole before it is sent, so this keeps no more in memory than there was.
"""

from vote.server.raw_response import Message, Send


class BufferedResponse:
    """The ASGI messages of one answer."""

    def __init__(self) -> None:
        self._start: Message | None = None
        self._body: list[bytes] = []

    async def take(self, message: Message) -> None:
        """Keep a message; an ASGI `send` that never waits."""
        if message["type"] == "http.response.start":
            self._start = message
        else:
            self._body.append(message.get("body", b""))

    async def send(self, send: Send) -> None:
        """Send what was kept, with the body in one piece. Nothing when nothing was answered."""
        if self._start is not None:
            await send(self._start)
            await send({"type": "http.response.body", "body": b"".join(self._body)})
