"""The front door's short way under granian's RSGI, and bare RSGI: only for measuring one server beside another.

RSGI hands over a request as objects made in Rust and takes an answer in one call. Votes only; other paths are not served.
"""

import asyncio
import os
from typing import Any

from vote.asgi import create_asgi_app
from vote.config import load
from vote.server import middleware
from vote.server.raw_response import RawResponse
from vote.server.security_headers import security_headers

TEXT = [("content-type", "text/plain")]


class Votes:
    """An RSGI application: `POST /vote/<id>` by the short way alone."""

    def __init__(self) -> None:
        settings = load()
        self._app: Any = create_asgi_app(settings)
        self._common = [(name.decode(), value.decode()) for name, value in security_headers(settings)]
        self._inbox: asyncio.Queue[dict[str, Any]] = asyncio.Queue()

    def __rsgi_init__(self, loop: asyncio.AbstractEventLoop) -> None:
        """Open what the lifespan of ASGI opens."""
        started: asyncio.Queue[Any] = asyncio.Queue()
        self._life = loop.create_task(self._app({"type": "lifespan"}, self._inbox.get, started.put))
        self._inbox.put_nowait({"type": "lifespan.startup"})
        loop.run_until_complete(started.get())

    async def __rsgi__(self, scope: Any, protocol: Any) -> None:
        """One vote; what is not plain is refused, for a measurement must not hide it."""
        headers = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in scope.headers.items()]
        asked = {"type": "http", "method": scope.method, "path": scope.path, "headers": headers}
        request_id = middleware.ensure_request_id(asked)
        answered: asyncio.Future[RawResponse | None] = asyncio.get_running_loop().create_future()
        if scope.path == "/health":
            protocol.response_str(200, TEXT, "ok")
            return
        if not self._app.shortcut(asked, await protocol(), answered.set_result):
            protocol.response_empty(404, [])
            return
        answer = await answered
        if answer is None:
            protocol.response_empty(500, [])
            return
        own = [("content-type", answer.content_type.decode()), ("cache-control", "no-store")]
        own += [(name.decode(), value.decode()) for name, value in answer.headers]
        protocol.response_bytes(answer.status, [*own, *self._common, ("x-request-id", request_id)], answer.body)
        self._app.tell(asked, answer.status)


class Bare:
    """Reads the body and says ok."""

    async def __rsgi__(self, scope: Any, protocol: Any) -> None:
        """One request."""
        del scope
        await protocol()
        protocol.response_bytes(200, TEXT, b"ok")


app: Any = Votes() if os.environ.get("BENCH_RSGI") == "votes" else Bare()
