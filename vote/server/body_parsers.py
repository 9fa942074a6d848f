"""The fields of a body: form, multipart or JSON, read by the same rules for pages, API and votes.

Text is UTF-8 or it is refused, here and nowhere else: a lone surrogate or a byte that is no text cannot be stored, logged or
sent back. How many fields there may be is the caller's; ValueError is for a body that is not what its type says.
"""

import json
from collections.abc import Sequence
from typing import Any, NoReturn
from urllib.parse import unquote_to_bytes

from werkzeug.exceptions import RequestEntityTooLarge
from werkzeug.sansio.multipart import Data, Epilogue, Field, File, MultipartDecoder, NeedData

from vote import input_limits as limits
from vote.errors import InvalidInput, TooLarge
from vote.server.unique_fields import once

FORM, MULTIPART, JSON = "application/x-www-form-urlencoded", "multipart/form-data", "application/json"
NO_TEXT = "This has characters that are no text. Send it as UTF-8."

Pairs = Sequence[tuple[str, str]]


def is_json(kind: str) -> bool:
    """Whether a media type is JSON, as Flask has it: `application/json` or `application/<anything>+json`."""
    return kind == JSON or (kind.startswith("application/") and kind.endswith("+json"))


def urlencoded(body: bytes, most: int) -> Pairs:
    """The fields of a form in order. Raises TooLarge for more than `most`, InvalidInput for what is no text."""
    if body.count(b"&") >= most:
        raise too_many(most)
    pairs = []
    for part in body.replace(b"+", b" ").split(b"&"):
        name, equals, value = (unquote_to_bytes(one) for one in part.partition(b"="))
        if name or equals:
            field = _text(name)
            pairs.append((field, _text(value, field)))
    return pairs


def multipart(body: bytes, boundary: bytes, most: int) -> Pairs:
    """The same of a multipart body; files are left out. Raises ValueError too."""
    if not boundary:
        raise ValueError("no boundary")
    decoder = MultipartDecoder(boundary, max_form_memory_size=len(body), max_parts=most)
    decoder.receive_data(body)
    decoder.receive_data(None)
    pairs: list[tuple[str, str]] = []
    name, parts = "", list[bytes]()
    try:
        while not isinstance(event := decoder.next_event(), Epilogue | NeedData):
            if isinstance(event, Field | File):
                name, parts = event.name if isinstance(event, Field) else "", []
            elif isinstance(event, Data) and name:
                parts.append(event.data)
                if not event.more_data:
                    pairs.append((_text(name.encode("utf-8", "surrogatepass")), _text(b"".join(parts), name)))
    except RequestEntityTooLarge:
        raise too_many(most) from None
    return pairs


def json_object(body: bytes, most: int) -> dict[str, Any]:
    """The fields of a JSON object. Raises TooLarge, InvalidInput, TypeError when it is no object, and ValueError or
    RecursionError when it is no JSON; NaN is none, and neither is a name that comes twice.
    """

    def fields(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        if len(pairs) > most:
            raise too_many(most)
        return once(pairs)

    given = json.loads(_text(body), parse_constant=_refuse_constant, object_pairs_hook=fields)
    if not isinstance(given, dict):
        raise TypeError("not an object")
    if b"\\u" in body:  # without an escape there is no way to write a surrogate in UTF-8
        for name, value in given.items():
            _check_text(name, value)
    return given


def is_text(address: bytes) -> bool:
    """Whether a path or query is UTF-8 once its percent signs are read."""
    if b"%" in address:
        try:
            unquote_to_bytes(address).decode("utf-8")
        except UnicodeDecodeError:
            return False
    return True


def named(name: str) -> str:
    """A field's name as it may stand in an answer: whatever was sent, as text, and cut."""
    return name[: limits.FIELD_NAME_MAX_CHARS].encode("utf-8", "replace").decode("utf-8")


def too_many(most: int) -> TooLarge:
    """The error for too many fields."""
    return TooLarge(f"Send at most {most} fields.")


def _text(data: bytes, field: str = "") -> str:
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        raise _no_text(field) from None


def _check_text(name: str, value: Any) -> None:
    try:
        json.dumps([name, value], ensure_ascii=False).encode("utf-8")
    except UnicodeEncodeError:
        raise _no_text(name) from None


def _no_text(field: str) -> InvalidInput:
    return InvalidInput({named(field) or "body": NO_TEXT}, NO_TEXT)


def _refuse_constant(_name: str) -> NoReturn:
    raise ValueError("NaN and Infinity are not JSON")
