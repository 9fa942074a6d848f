"""What goes around every HTTP answer, whoever gives it: request id, security headers, one log line, metrics, and the
500 for what nobody expected.

The request id is made here, never taken from outside. It is also the id of a ballot, so that a request line, a journal
row and a batch line can be joined. The line never holds a query, a body, a token, a name or a choice.
"""

import json
import secrets
import time

import structlog

from vote.config import Settings
from vote.server import client_address, problems
from vote.server.access_log import AccessLog
from vote.server.body_parsers import is_text
from vote.server.raw_response import App, Message, Receive, Scope, Send, send_response
from vote.server.security_headers import security_headers, static_headers

REQUEST_ID = "request_id"
LINE = "line"  # fields that an endpoint adds to the request's log line
STARTED_AT = "began"  # when the request was taken up, by time.perf_counter

logger = structlog.get_logger()


class RequestMiddleware:
    """Wraps an ASGI app; passes everything but HTTP through."""

    def __init__(self, app: App, settings: Settings) -> None:
        self._app = app
        self._headers, self._static_headers = security_headers(settings), static_headers(settings)
        self._proxies = settings.trusted_proxies
        self._log = AccessLog()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request: answer it, then tell of it. What is inside sees as `client` who is behind our own proxies."""
        if scope["type"] != "lifespan":
            client_address.apply_trusted_proxies(scope, self._proxies)
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request_id = ensure_request_id(scope)
        # WSGI cannot tell `X_Request_Id` from `X-Request-Id`: names with an underscore go, as nginx drops them too.
        own = [header for header in scope["headers"] if header[0] != b"x-request-id" and b"_" not in header[0]]
        scope["headers"] = [*own, (b"x-request-id", request_id.encode("ascii"))]
        status = 0

        async def send_with_headers(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                common = self._static_headers if scope["path"].startswith("/static/") else self._headers
                extra = [*common, (b"x-request-id", request_id.encode("ascii"))]
                message["headers"] = [*message.get("headers", ()), *extra]
            await send(message)

        try:
            if _is_text(scope):
                await self._app(scope, receive, send_with_headers)
            else:
                await _refuse_address(send_with_headers, request_id)
        except Exception:  # the last place where an error can be told; it must not end the process
            logger.exception("failed", request_id=request_id)
            if status == 0:
                await _answer_500(send_with_headers, request_id)
        finally:
            self.tell(scope, status)

    def tell(self, scope: Scope, status: int) -> None:
        """Tell of a request that is answered."""
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


async def _refuse_address(send: Send, request_id: str) -> None:
    body = json.dumps(problems.problem(400, "This address is no text. Write it in UTF-8.", request_id=request_id))
    await send_response(send, 400, body.encode("ascii"), content_type=problems.CONTENT_TYPE)


def ensure_request_id(scope: Scope) -> str:
    """Return the request's id; made here once, and the time with it."""
    if REQUEST_ID not in scope:
        scope[REQUEST_ID], scope[LINE], scope[STARTED_AT] = secrets.token_hex(16), {}, time.perf_counter()
    request_id: str = scope[REQUEST_ID]
    return request_id


async def _answer_500(send: Send, request_id: str) -> None:
    detail = "Something went wrong. If you were voting, press again: it cannot count twice."
    body = json.dumps(problems.problem(500, detail, request_id=request_id)).encode("utf-8")
    await send_response(send, 500, body, content_type=problems.CONTENT_TYPE)
