"""Parses the body of a vote: a form, multipart or JSON. Bodies are small and read whole."""

import re
from collections.abc import Mapping
from typing import Any, NamedTuple

from werkzeug.http import parse_options_header

from vote.errors import InvalidInput, TooLarge, WrongMediaType
from vote.identity.csrf import FIELD
from vote.input_limits import VOTE_FIELDS_MAX, VOTE_MAX_BYTES
from vote.server import body_parsers
from vote.server.body_parsers import once
from vote.server.raw_response import Receive

# A part with one header line and a name that needs no decoding.
_PLAIN_FIELD = re.compile(rb'\r\nContent-Disposition: form-data; name="([A-Za-z0-9_-]+)"\r\n\r\n(.*)\r\n', re.DOTALL)
_MULTIPART = re.compile(r"multipart/form-data; ?boundary=([A-Za-z0-9'_-]{1,70})")  # as browsers and curl spell it
# The bodies that our pages and simple scripts send, and nothing else. Matching takes a tenth of the general parsers' time
# and gives the same result.
_PLAIN_FORM = re.compile(rb"(?:csrf_token=([0-9a-f]+)&)?vote=([a-z])(?:&csrf_token=([0-9a-f]+))?")
_PLAIN_JSON = re.compile(
    rb'\{(?:"csrf_token": ?"([0-9a-f]+)", ?)?"vote": ?"([a-z])"(?:, ?"csrf_token": ?"([0-9a-f]+)")?\}'
)
_PLAIN_TYPES = {
    "application/json": _PLAIN_JSON,
    "application/x-www-form-urlencoded": _PLAIN_FORM,
    "application/x-www-form-urlencoded;charset=UTF-8": _PLAIN_FORM,
}
UNREADABLE = "The body cannot be read. Send the field `vote` as a form, as multipart or as JSON."


class BallotForm(NamedTuple):
    """The fields of a ballot, unchecked."""

    vote: str | None
    csrf_token: str | None


async def read_body(receive: Receive, content_length: str | None) -> bytes:
    """Return the whole body. Raises TooLarge above VOTE_MAX_BYTES, whatever `content_length` says."""
    if content_length is not None and content_length.isdigit() and int(content_length) > VOTE_MAX_BYTES:
        raise TooLarge(f"A vote has at most {VOTE_MAX_BYTES // 1024} KiB.")
    body = b""
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ConnectionError
        part: bytes = message.get("body", b"")
        body += part
        if len(body) > VOTE_MAX_BYTES:
            raise TooLarge(f"A vote has at most {VOTE_MAX_BYTES // 1024} KiB.")
        if not message.get("more_body"):
            return body


def parse(body: bytes, content_type: str) -> BallotForm:
    """Return the fields. Raises InvalidInput for a body that does not match its type, TooLarge for too many fields, and
    WrongMediaType.
    """
    return _plain(body, content_type) or _thorough(body, content_type)


def _plain(body: bytes, content_type: str) -> BallotForm | None:
    pattern = _PLAIN_TYPES.get(content_type)
    found = pattern.fullmatch(body) if pattern is not None else None
    if found is None or (found[1] is not None and found[3] is not None):
        return None
    token = found[1] or found[3]
    return BallotForm(found[2].decode("ascii"), None if token is None else token.decode("ascii"))


def _thorough(body: bytes, content_type: str) -> BallotForm:
    try:
        kind, boundary = _kind_of(content_type)
        fields: Mapping[str, Any]
        if body_parsers.is_json(kind):
            fields = body_parsers.json_object(body, VOTE_FIELDS_MAX)
        elif kind == body_parsers.MULTIPART:
            fields = _plain_multipart(body, boundary) or once(body_parsers.multipart(body, boundary, VOTE_FIELDS_MAX))
        elif kind in (body_parsers.FORM, ""):
            fields = once(body_parsers.urlencoded(body, VOTE_FIELDS_MAX))
        else:
            raise WrongMediaType
    except (TypeError, ValueError, RecursionError) as error:
        raise InvalidInput({"vote": UNREADABLE}, UNREADABLE) from error
    return BallotForm(_as_text(fields.get("vote")), _as_text(fields.get(FIELD)))


def _as_text(value: object) -> str | None:
    return value if isinstance(value, str) else None


def _kind_of(content_type: str) -> tuple[str, bytes]:
    """Return the media type and, for multipart, the boundary. Reads the usual spelling in a tenth of the time."""
    if plain := _MULTIPART.fullmatch(content_type):
        return "multipart/form-data", plain[1].encode("ascii")
    kind, options = parse_options_header(content_type)
    return kind, options.get("boundary", "").encode("ascii")


def _plain_multipart(body: bytes, boundary: bytes) -> Mapping[str, str] | None:
    """Return plain fields as curl and browsers encode them, in a tenth of the time; None for anything else."""
    parts = body.split(b"--" + boundary)
    if not boundary or parts[0] or parts[-1] not in (b"--\r\n", b"--") or len(parts) > VOTE_FIELDS_MAX + 2:
        return None
    found = [_PLAIN_FIELD.fullmatch(part) for part in parts[1:-1]]
    if not all(found):
        return None
    try:
        return once([(one[1].decode("ascii"), one[2].decode("utf-8")) for one in found if one])
    except UnicodeDecodeError:
        return None  # the general parser raises the error
