"""A complete HTTP answer, sent as ASGI messages."""

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, NamedTuple

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]
Headers = list[tuple[bytes, bytes]]


class RawResponse(NamedTuple):
    """A complete answer that may not be cached. Its headers contain nothing that a client sent."""

    status: int
    content_type: bytes
    body: bytes
    headers: Headers

    def plus(self, headers: Headers) -> "RawResponse":
        """Return a copy with more headers."""
        return self._replace(headers=[*self.headers, *headers]) if headers else self

    async def send(self, send: Send) -> None:
        """Send the answer over ASGI."""
        await send_response(
            send, self.status, self.body, content_type=self.content_type.decode("ascii"), headers=self.headers
        )


async def send_response(
    send: Send,
    status: int,
    body: bytes,
    *,
    content_type: str,
    headers: Headers | None = None,
    cache_control: bytes = b"no-store",
) -> None:
    """Send a complete answer. By default it may not be cached."""
    start = [
        (b"content-type", content_type.encode("ascii")),
        (b"content-length", b"%d" % len(body)),
        (b"cache-control", cache_control),
        *(headers or ()),
    ]
    await send({"type": "http.response.start", "status": status, "headers": start})
    await send({"type": "http.response.body", "body": body})
