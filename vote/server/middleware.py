"""Wraps every HTTP answer, from the front door or from Flask: request id, security headers, log line, metrics, and the
500 for unexpected errors.

The id of a request leads to its ballot's (`request_id.py`), so request line, journal row and batch line can be joined. The
line never holds a query, a body, a token, a name or a choice.
"""

import time

import structlog

from vote import logs
from vote.config import Settings
from vote.server import client_address, request_id
from vote.server.access_log import AccessLog
from vote.server.body_parsers import is_text
from vote.server.problems import send_problem
from vote.server.raw_response import App, Message, Receive, Scope, Send
from vote.server.request_id import REQUEST_ID
from vote.server.security_headers import security_headers

LINE = "line"  # fields that an endpoint adds to the request's log line
STARTED_AT = "began"  # start of the request, by time.perf_counter
NO_TEXT = "This address is not valid UTF-8. Encode it as UTF-8."
FAILED = "Something went wrong. If you were voting, press again: it cannot count twice."

logger = structlog.get_logger()


class RequestMiddleware:
    """ASGI middleware for HTTP and WebSocket; passes everything else through."""

    def __init__(self, app: App, settings: Settings) -> None:
        self._app = app
        self._headers = security_headers(settings)
        self._static_headers = security_headers(settings, of_file=True)
        self._proxies = settings.trusted_proxies
        self._log = AccessLog()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, then log it. The app sees as `client` the client behind our own proxies."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        scope[STARTED_AT], scope[LINE] = time.perf_counter(), {}
        is_from_proxy = client_address.apply_trusted_proxies(scope, self._proxies)
        own_id = request_id.identify(scope, is_from_proxy=is_from_proxy)
        logs.bind_request_id(own_id)
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        status = 0

        async def send_with_headers(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                common = self._static_headers if scope["path"].startswith("/static/") else self._headers
                extra = [*common, (request_id.HEADER, own_id.encode("ascii"))]
                message["headers"] = [*message.get("headers", ()), *extra]
            await send(message)

        try:
            if _is_text(scope):
                await self._app(scope, receive, send_with_headers)
            else:
                await send_problem(send_with_headers, 400, NO_TEXT, request_id=own_id)
        except Exception:  # the last place to report an error, which must not end the process
            logger.exception("failed")
            if status == 0:
                await send_problem(send_with_headers, 500, FAILED, request_id=own_id)
        finally:
            self.tell(scope, status)

    def tell(self, scope: Scope, status: int) -> None:
        """Log a request that was answered."""
        self._log.tell(
            request_id=scope[REQUEST_ID],
            method=scope["method"],
            path=scope["path"],
            status=status,
            seconds=time.perf_counter() - scope[STARTED_AT],
            more=scope[LINE],
        )


def _is_text(scope: Scope) -> bool:
    return is_text(scope.get("raw_path") or b"") and is_text(scope.get("query_string", b""))
