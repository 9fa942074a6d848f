"""What goes around every HTTP answer, whoever gives it: request id, security headers, one log line, metrics, and the
500 for what nobody expected.

The request id is made here, never taken from outside. It is also the id of a ballot, so that a request line, a journal
row and a batch line can be joined. The line never holds a query, a body, a token, a name or a choice.
"""

import json
import secrets
import time
from collections.abc import Awaitable, Callable, MutableMapping
from functools import cache
from typing import Any

import structlog
from prometheus_client import Counter, Histogram

from vote.config import Settings
from vote.edge import client_address, problems
from vote.edge.headers import security_headers, static_headers
from vote.edge.request_log import RequestLog
from vote.metrics import REQUEST_SECONDS, REQUESTS

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

REQUEST_ID = "request_id"
LINE = "line"  # fields that an endpoint adds to the request's log line
ROUTES = frozenset(
    (
        "vote",
        "results",
        "live",
        "login",
        "logout",
        "register",
        "account",
        "admin",
        "api",
        "static",
        "health",
        "ready",
        "metrics",
    )
)
KNOWN_METHODS = frozenset(("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"))

lines = structlog.get_logger()


class Envelope:
    """Wraps an ASGI app; passes everything but HTTP through."""

    def __init__(self, app: App, settings: Settings) -> None:
        self._app = app
        self._headers, self._static_headers = security_headers(settings), static_headers(settings)
        self._proxies = settings.trusted_proxies
        self._log = RequestLog()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request: answer it, then tell of it. What is inside sees as `client` who is behind our own proxies."""
        if scope["type"] != "lifespan":
            client_address.settle(scope, self._proxies)
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request_id = secrets.token_hex(16)
        scope[REQUEST_ID], scope[LINE] = request_id, {}
        # WSGI cannot tell `X_Request_Id` from `X-Request-Id`: names with an underscore go, as nginx drops them too.
        own = [header for header in scope["headers"] if header[0] != b"x-request-id" and b"_" not in header[0]]
        scope["headers"] = [*own, (b"x-request-id", request_id.encode("ascii"))]
        began, status = time.perf_counter(), 0

        async def send_with_headers(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                common = self._static_headers if scope["path"].startswith("/static/") else self._headers
                extra = [*common, (b"x-request-id", request_id.encode("ascii"))]
                message["headers"] = [*message.get("headers", ()), *extra]
            await send(message)

        try:
            await self._app(scope, receive, send_with_headers)
        except Exception:  # noqa: BLE001  # the last place where an error can be told; it must not end the process
            lines.exception("failed", request_id=request_id)
            if status == 0:
                await _answer_500(send_with_headers, request_id)
        finally:
            self._tell(scope, status, time.perf_counter() - began)

    def _tell(self, scope: Scope, status: int, seconds: float) -> None:
        route = route_of(scope["path"])
        method = scope["method"] if scope["method"] in KNOWN_METHODS else "other"
        _counted(route, method, status).inc()
        _timed(route).observe(seconds)
        self._log.write(
            request_id=scope[REQUEST_ID],
            method=method,
            path=scope["path"][:200],
            status=status,
            ms=round(seconds * 1000, 2),
            **scope[LINE],
        )


async def _answer_500(send: Send, request_id: str) -> None:
    detail = "Something went wrong here. If you were voting: press again, it cannot count twice."
    body = json.dumps(problems.problem(500, detail, request_id=request_id)).encode("utf-8")
    await answer(send, 500, body, content_type=problems.CONTENT_TYPE)


async def answer(
    send: Send,
    status: int,
    body: bytes,
    *,
    content_type: str,
    headers: list[tuple[bytes, bytes]] | None = None,
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


def route_of(path: str) -> str:
    """The path as a metric's label: the first part when it is one of ours, so that strangers cannot invent labels."""
    first = path[1:].partition("/")[0]
    return f"/{first}" if first in ROUTES or not first else "other"


# `labels` looks a child up under a lock; there are few routes, methods and statuses, so the children are kept.
@cache
def _counted(route: str, method: str, status: int) -> Counter:
    return REQUESTS.labels(route, method, str(status))


@cache
def _timed(route: str) -> Histogram:
    return REQUEST_SECONDS.labels(route)
