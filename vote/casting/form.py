"""Reads what a voter sends: a form, multipart or JSON. Small bodies only, read whole."""

import json
from collections.abc import Mapping
from typing import NamedTuple
from urllib.parse import parse_qsl

from werkzeug.http import parse_options_header
from werkzeug.sansio.multipart import Data, Epilogue, Field, File, MultipartDecoder, NeedData

from vote.edge.envelope import Receive
from vote.edge.origin import FIELD
from vote.errors import InvalidInput, TooLarge

MAX_BODY_BYTES = 16 * 1024  # a ballot is some 200 bytes
MAX_FIELDS = 20
UNREADABLE = "The body cannot be read. Send the field `vote` as a form, as multipart or as JSON."


class BallotForm(NamedTuple):
    """The fields of a ballot as they came."""

    vote: str | None
    csrf_token: str | None


async def read_body(receive: Receive, content_length: bytes | None) -> bytes:
    """The whole body. Raises TooLarge above MAX_BODY_BYTES, whatever the length claimed to be."""
    if content_length is not None and content_length.isdigit() and int(content_length) > MAX_BODY_BYTES:
        raise TooLarge(f"A vote has at most {MAX_BODY_BYTES // 1024} KiB.")
    body = b""
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ConnectionError
        part: bytes = message.get("body", b"")
        body += part
        if len(body) > MAX_BODY_BYTES:
            raise TooLarge(f"A vote has at most {MAX_BODY_BYTES // 1024} KiB.")
        if not message.get("more_body"):
            return body


def parse(body: bytes, content_type: str) -> BallotForm:
    """The fields. Raises InvalidInput when the body is not what the type says."""
    kind, options = parse_options_header(content_type)
    try:
        if kind == "application/json":
            fields = _json(body)
        elif kind == "multipart/form-data":
            fields = _multipart(body, options.get("boundary", "").encode("ascii"))
        else:
            fields = dict(parse_qsl(body.decode("utf-8"), keep_blank_values=True, max_num_fields=MAX_FIELDS))
    except (ValueError, RecursionError) as error:
        raise InvalidInput({"vote": UNREADABLE}, UNREADABLE) from error
    return BallotForm(fields.get("vote"), fields.get(FIELD))


def _json(body: bytes) -> Mapping[str, str]:
    fields = json.loads(body)
    if not isinstance(fields, dict):
        raise ValueError("not an object")
    return {name: value for name, value in fields.items() if isinstance(value, str)}


def _multipart(body: bytes, boundary: bytes) -> Mapping[str, str]:
    decoder = MultipartDecoder(boundary, max_form_memory_size=MAX_BODY_BYTES, max_parts=MAX_FIELDS)
    decoder.receive_data(body)
    decoder.receive_data(None)
    fields: dict[str, str] = {}
    name = ""
    while not isinstance(event := decoder.next_event(), Epilogue | NeedData):
        if isinstance(event, Field):
            name = event.name
            fields[name] = ""
        elif isinstance(event, File):
            name = ""
        elif isinstance(event, Data) and name:
            fields[name] += event.data.decode("utf-8")
    return fields
