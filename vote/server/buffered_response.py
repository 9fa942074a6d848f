"""Buffer an answer and send it later: a slot that others wait for is held while the answer is made, not while it is read.

Flask's answers are complete before they are sent, so this uses no more memory than before.
"""

from vote.server.raw_response import Message, Send


class BufferedResponse:
    """A buffer for the ASGI messages of one answer."""

    def __init__(self) -> None:
        self._start: Message | None = None
        self._body: list[bytes] = []

    async def take(self, message: Message) -> None:
        """Buffer a message; an ASGI `send` that never waits."""
        if message["type"] == "http.response.start":
            self._start = message
        else:
            self._body.append(message.get("body", b""))

    async def send(self, send: Send) -> None:
        """Send the buffered answer with its body in one piece; send nothing when there was no answer."""
        if self._start is not None:
            await send(self._start)
            await send({"type": "http.response.body", "body": b"".join(self._body)})
