"""How errors are told: a page to browsers, problem+json (RFC 9457) to others. The statuses are in `server/problems.py`.

Every error of the tree, every HTTP error of the framework and everything unexpected passes here. What was unexpected is
logged with its stack trace, and told as nothing but an id to quote.
"""

import traceback
from urllib.parse import urlsplit

import structlog
from flask import Flask, Response, jsonify, redirect, render_template, request, url_for
from werkzeug.exceptions import HTTPException
from werkzeug.wrappers import Response as AnyResponse

from vote import errors
from vote.errors import VoteError
from vote.server import problems
from vote.web import idempotency, request_context
from vote.web.safe_redirect import local_path

logger = structlog.get_logger()

METHOD_NOT_ALLOWED = "This address does not support this method. The Allow header lists those it does."
SENTENCES = {
    400: "The request cannot be read. Reload the page and send it again.",
    404: errors.NotFound().detail,
    405: METHOD_NOT_ALLOWED,
    413: errors.TooLarge().detail,
    415: errors.WrongMediaType().detail,
}
UNEXPECTED = (
    "Something went wrong, and we have logged it. Try again in a moment. If it happens again, report the request id."
)
STATUS_PAGE_TEMPLATE = "error.html"


def register(app: Flask) -> None:
    """Answer every error of this app from here."""
    app.register_error_handler(VoteError, answer_vote_error)
    app.register_error_handler(HTTPException, answer_http_error)
    app.register_error_handler(Exception, answer_unexpected)


def answer_vote_error(error: VoteError) -> AnyResponse:
    """An error of the tree: its status, its sentence, its fields."""
    if isinstance(error, errors.NotLoggedIn) and request_context.wants_page():
        return to_login()
    if isinstance(error, errors.AlreadyAnswered) and (again := idempotency.answer_again()) is not None:
        return again
    status = problems.status_of(error)
    if status == 500:
        return answer_unexpected(error)
    is_about_the_account = type(error) is errors.NotAllowed
    response = _answer(
        status, error.detail, fields=getattr(error, "fields", None), is_about_the_account=is_about_the_account
    )
    response.headers.extend(problems.headers_of(error))
    return response


def answer_http_error(error: HTTPException) -> Response:
    """An error of the framework, or one raised by `abort` with a sentence of our own."""
    status = error.code or 500
    own = error.description if error.description != type(error).description else None
    response = _answer(status, own or SENTENCES.get(status, "This request cannot be answered."))
    response.headers.extend((name, value) for name, value in error.get_headers() if name not in ("Content-Type",))
    return response


def answer_unexpected(error: Exception) -> Response:
    """What nobody foresaw. The trace is text without local variables: those may hold a password."""
    logger.error(
        "unexpected",
        request_id=request_context.request_id(),
        endpoint=request.endpoint,
        method=request.method,
        error=type(error).__name__,
        trace="".join(traceback.format_exception(error)),
    )
    return _answer(500, UNEXPECTED)


def to_login() -> Response:
    """Send a person to log in, and back here afterwards."""
    came_from = request.full_path.rstrip("?") if request.method in ("GET", "HEAD") else _referring_path()
    response = redirect(url_for("accounts.login_page", next=local_path(came_from)), 303)
    assert isinstance(response, Response)
    return response


def render_error_page(
    app: Flask,
    *,
    status: int,
    detail: str,
    request_id: str,
    back: str | None,
    safe: str | None,
    cookie: str,
) -> bytes:
    """The error page for a browser whose request the front door answered itself. Call it from any thread.

    `cookie` is the request's Cookie header: the page names who is logged in. `safe` says whether a vote is stored.
    """
    back = local_path(back)  # `//other.example` is a path too, and a link to another site
    with app.test_request_context(back or "/", headers={"Cookie": cookie, "X-Request-ID": request_id}):
        return _page(status, detail, back=back, safe=safe).encode("utf-8")


def _answer(
    status: int, detail: str, *, fields: dict[str, str] | None = None, is_about_the_account: bool = False
) -> Response:
    if request_context.wants_page():
        page = _page(status, detail, back=_back(), safe=None, is_about_the_account=is_about_the_account)
        return Response(page, status, mimetype="text/html")
    body = problems.problem(status, detail, request_id=request_context.request_id(), fields=fields)
    response = jsonify(body)
    response.status_code = status
    response.content_type = problems.CONTENT_TYPE
    return response


def _page(status: int, detail: str, *, back: str | None, safe: str | None, is_about_the_account: bool = False) -> str:
    return render_template(
        STATUS_PAGE_TEMPLATE,
        status=status,
        title=problems.TITLES.get(status, "This did not work"),
        detail=detail,
        request_id=request_context.request_id(),
        back=back,
        safe=safe,
        is_about_the_account=is_about_the_account,
    )


def _back() -> str | None:
    """Where somebody came from, when that was a page of ours."""
    path = _referring_path()
    return None if path == request.path else path


def _referring_path() -> str | None:
    referrer = urlsplit(request.referrer or "")
    if referrer.netloc.lower() != request.host.lower():
        return None
    return local_path(referrer.path)
