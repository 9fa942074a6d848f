"""Renders errors: a page for browsers, problem+json (RFC 9457) for others. `server/problems.py` has the statuses.

All our errors, all HTTP errors of the framework and all unexpected ones come here. An unexpected error is logged with
its stack trace and reported as an id to quote.
"""

from urllib.parse import urlsplit

import structlog
from flask import Flask, Response, jsonify, redirect, render_template, request, url_for
from werkzeug.exceptions import HTTPException
from werkzeug.wrappers import Response as AnyResponse

from vote import errors
from vote.errors import VoteError
from vote.server import problems
from vote.web import access, idempotency, request_context
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
    """Register the handlers for every error of this app."""
    app.register_error_handler(VoteError, answer_vote_error)
    app.register_error_handler(HTTPException, answer_http_error)
    app.register_error_handler(Exception, answer_unexpected)


def answer_vote_error(error: VoteError) -> AnyResponse:
    """Answer one of our errors with its status, sentence and fields."""
    if isinstance(error, errors.NotLoggedIn) and request_context.wants_page():
        return to_login()
    if isinstance(error, errors.AlreadyAnswered) and (again := idempotency.answer_again()) is not None:
        return again
    status = problems.status_of(error)
    if status == 500:
        return answer_unexpected(error)
    if status == 403:
        _log_refusal(error)
    is_about_the_account = type(error) is errors.NotAllowed
    fields = getattr(error, "fields", None)
    response = _answer(status, error.detail, fields=fields, is_about_the_account=is_about_the_account)
    response.headers.extend(problems.headers_of(error))
    return response


def answer_http_error(error: HTTPException) -> Response:
    """Answer an error of the framework, or one raised by `abort` with a sentence of ours."""
    status = error.code or 500
    own = error.description if error.description != type(error).description else None
    response = _answer(status, own or SENTENCES.get(status, "This request cannot be answered."))
    response.headers.extend((name, value) for name, value in error.get_headers() if name != "Content-Type")
    return response


def answer_unexpected(error: Exception) -> Response:
    """Log and answer an unexpected error."""
    logger.error(
        "unexpected",
        request_id=request_context.request_id(),
        endpoint=request.endpoint,
        method=request.method,
        exc_info=error,
    )
    return _answer(500, UNEXPECTED)


def _log_refusal(error: VoteError) -> None:
    """Log that a right is missing (ASVS 16.3.2), unless somebody only looks at what is public and not shown yet."""
    if request.method in request_context.UNSAFE_METHODS or not access.is_for_anyone(request.endpoint):
        who = request_context.known_identity()
        logger.warning(
            "access refused",
            why=type(error).__name__,
            reason=error.detail,
            endpoint=request.endpoint,
            user_id=None if who is None else who.user_id,
        )


def form_again(template: str, error: VoteError, *, with_message: bool = False, **values: object) -> AnyResponse:
    """Return a form's page with its errors, beside the fields where possible; raise the error for an API client.
    `with_message`: show it as a message too.
    """
    if not request_context.wants_page():
        raise error
    fields = getattr(error, "fields", {})
    message = error.detail if with_message or not fields else None
    page = render_template(template, errors=fields, message=message, **values)
    return Response(page, problems.status_of(error), problems.headers_of(error))


def to_login() -> AnyResponse:
    """Redirect to the login page, and back here afterwards."""
    came_from = request.full_path.rstrip("?") if request.method in ("GET", "HEAD") else _referring_path()
    return redirect(url_for("accounts.login_page", next=local_path(came_from)), 303)


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
    """Return the error page for a browser whose request the front door answers itself. Call it from any thread.

    `cookie` is the request's Cookie header: the page shows who is logged in. `safe` says whether a vote is stored.
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
    """Return the page that the user came from, if it is one of ours."""
    path = _referring_path()
    return None if path == request.path else path


def _referring_path() -> str | None:
    referrer = urlsplit(request.referrer or "")
    if referrer.netloc.lower() != request.host.lower():
        return None
    return local_path(referrer.path)
