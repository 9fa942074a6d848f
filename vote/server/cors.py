"""CORS: let pages of other sites (CORS_ORIGINS) use the API, with bearer tokens only.

An answer names a listed origin or none: no origin is reflected, `*` is never sent, and credentials are never allowed, so a
visitor's cookies give a page of another site no access. Everything outside `/api/` is for our own pages only.
"""

from collections.abc import Sequence

from vote.server.raw_response import App, Message, Receive, Scope, Send

API = "/api/"
METHODS = b"GET, HEAD, POST, PATCH, DELETE"
HEADERS_SENT = b"Authorization, Content-Type, If-Match, If-None-Match"
HEADERS_SHOWN = b"ETag, Location, Retry-After, X-Request-ID"
PREFLIGHT_KEPT_S = b"600"  # ten minutes, so that a changed list soon takes effect


class Cors:
    """ASGI middleware; passes everything outside the API through."""

    def __init__(self, app: App, origins: Sequence[str]) -> None:
        self._app = app
        self._origins = {origin.encode("ascii") for origin in origins}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a preflight from an allowed origin; add CORS headers to every other answer of the API."""
        if scope["type"] != "http" or not scope["path"].startswith(API):
            await self._app(scope, receive, send)
            return
        given = [value for name, value in scope["headers"] if name == b"origin"]
        origin = given[0] if len(given) == 1 and given[0] in self._origins else None
        is_preflight = any(name == b"access-control-request-method" for name, _ in scope["headers"])
        if origin is not None and scope["method"] == "OPTIONS" and is_preflight:
            await _allow(send, origin)
            return
        extra = [(b"vary", b"Origin")]
        if origin is not None:
            extra += [(b"access-control-allow-origin", origin), (b"access-control-expose-headers", HEADERS_SHOWN)]

        async def send_with_origin(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message.get("headers", ()), *extra]
            await send(message)

        await self._app(scope, receive, send_with_origin)


async def _allow(send: Send, origin: bytes) -> None:
    headers = [
        (b"access-control-allow-origin", origin),
        (b"access-control-allow-methods", METHODS),
        (b"access-control-allow-headers", HEADERS_SENT),
        (b"access-control-max-age", PREFLIGHT_KEPT_S),
        (b"cache-control", b"no-store"),
        (b"vary", b"Origin"),
    ]
    await send({"type": "http.response.start", "status": 204, "headers": headers})
    await send({"type": "http.response.body", "body": b""})
