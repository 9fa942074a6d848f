"""The table from error class to HTTP status, and the body of errors for API clients (RFC 9457)."""

import json
from typing import Any

from vote import errors
from vote.errors import VoteError
from vote.server.raw_response import Headers, Send, send_response

CONTENT_TYPE = "application/problem+json"

STATUS: dict[type[VoteError], int] = {
    errors.VoteError: 500,
    errors.ConfigError: 500,
    errors.InvalidInput: 422,
    errors.NotFound: 404,
    errors.NoSuchCompetition: 404,
    errors.NotLoggedIn: 401,
    errors.NotAllowed: 403,
    errors.TooManyRequests: 429,
    errors.NotConfirmed: 403,
    errors.TooManyGuesses: 429,
    errors.ForgedForm: 403,
    errors.NoCookie: 403,
    errors.AlreadyAnswered: 409,
    errors.Conflict: 409,
    errors.NameTaken: 409,
    errors.AlreadyVoted: 409,
    errors.AddressHasVoted: 409,
    errors.VotingNotOpen: 403,
    errors.NoSuchOption: 422,
    errors.TooLarge: 413,
    errors.WrongMediaType: 415,
    errors.StaleVersion: 412,
    errors.UnreadableVersion: 400,
    errors.VersionRequired: 428,
    errors.BackupUnusable: 500,
    errors.Unavailable: 503,
    errors.LogUnavailable: 503,
    errors.LogNotAnswering: 503,
    errors.ForeignLog: 503,
    errors.DatabaseUnavailable: 503,
    errors.DatabaseBusy: 503,
    errors.HasherBusy: 503,
}

TITLES = {
    400: "The request cannot be read",
    401: "Log in first",
    403: "Not allowed",
    404: "Not found",
    405: "Method not allowed",
    409: "Conflict",
    412: "Changed in the meantime",
    413: "Too large",
    415: "Unsupported media type",
    422: "Some fields need another look",
    428: "If-Match is missing",
    429: "Too many requests",
    500: "Something went wrong here",
    503: "Not available at the moment",
}


def status_of(error: VoteError) -> int:
    """Return the status of an error's class. A test checks that the table has every class."""
    return STATUS[type(error)]


def headers_of(error: VoteError) -> list[tuple[str, str]]:
    """Return the headers that belong to an error's answer."""
    if isinstance(error, errors.Unavailable | errors.TooManyRequests):
        return [("Retry-After", str(error.retry_after_s))]
    if isinstance(error, errors.NotLoggedIn):
        return [("WWW-Authenticate", 'Bearer realm="vote-app"')]
    return []


def raw_headers_of(error: VoteError) -> Headers:
    """Return the same as ASGI wants them."""
    return [(name.lower().encode("ascii"), value.encode("ascii")) for name, value in headers_of(error)]


def problem(status: int, detail: str, *, request_id: str, fields: dict[str, str] | None = None) -> dict[str, Any]:
    """Return the body of an error for API clients. `errors` holds a sentence per invalid field, if there are any."""
    body: dict[str, Any] = {
        "type": "about:blank",
        "title": TITLES.get(status, "Error"),
        "status": status,
        "detail": detail,
        "request_id": request_id,
    }
    if fields:
        body["errors"] = fields
    return body


def problem_of(error: VoteError, *, request_id: str) -> dict[str, Any]:
    """Return the body for one of our errors."""
    return problem(status_of(error), error.detail, request_id=request_id, fields=getattr(error, "fields", None))


async def send_error(send: Send, error: VoteError, *, request_id: str) -> None:
    """Send one of our errors to an API client."""
    body = json.dumps(problem_of(error, request_id=request_id)).encode("ascii")
    await send_response(send, status_of(error), body, content_type=CONTENT_TYPE, headers=raw_headers_of(error))


async def send_problem(
    send: Send, status: int, detail: str, *, request_id: str, headers: Headers | None = None
) -> None:
    """Send an error that is none of ours to an API client."""
    body = json.dumps(problem(status, detail, request_id=request_id)).encode("ascii")
    await send_response(send, status, body, content_type=CONTENT_TYPE, headers=headers)
