"""A whole HTTP answer, given in one go: as ASGI messages, or as the bytes of its head where the server takes those."""

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, NamedTuple

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]
Headers = list[tuple[bytes, bytes]]


class RawResponse(NamedTuple):
    """Status, type and body; nobody keeps it. Headers are made by us alone: nothing a client sent is in them."""

    status: int
    content_type: bytes
    body: bytes
    headers: Headers

    def plus(self, headers: Headers) -> "RawResponse":
        """The same with more headers."""
        return self._replace(headers=[*self.headers, *headers]) if headers else self

    async def send(self, send: Send) -> None:
        """Send it as ASGI wants it."""
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
    """A whole answer in one go; nobody keeps it unless it says so."""
    start = [
        (b"content-type", content_type.encode("ascii")),
        (b"content-length", b"%d" % len(body)),
        (b"cache-control", cache_control),
        *(headers or ()),
    ]
    await send({"type": "http.response.start", "status": status, "headers": start})
    await send({"type": "http.response.body", "body": body})
