"""Parse request bodies (form, multipart, JSON) by the same rules for pages, API and votes.

Text must be UTF-8: this is the only place that refuses lone surrogates and other bytes that cannot be stored, logged or sent
back. The caller sets the maximum number of fields. ValueError means that a body does not match its media type.
"""

import json
from collections.abc import Iterable, Sequence
from typing import Any, NoReturn, TypeVar
from urllib.parse import unquote_to_bytes

from werkzeug.exceptions import RequestEntityTooLarge
from werkzeug.sansio.multipart import Data, Epilogue, Field, File, MultipartDecoder, NeedData

from vote import input_limits as limits
from vote.errors import InvalidInput, TooLarge

FORM, MULTIPART, JSON = "application/x-www-form-urlencoded", "multipart/form-data", "application/json"
NO_FILES = "Files are not accepted here."
NO_TEXT = "This is not valid UTF-8. Send text encoded as UTF-8."

Pairs = Sequence[tuple[str, str]]
Value = TypeVar("Value")


def is_json(kind: str) -> bool:
    """Return whether a media type is JSON, by Flask's rule: `application/json` or `application/<anything>+json`."""
    return kind == JSON or (kind.startswith("application/") and kind.endswith("+json"))


def urlencoded(body: bytes, most: int) -> Pairs:
    """Return the fields of a form in order. Raises TooLarge for more than `most`, InvalidInput for invalid UTF-8."""
    if body.count(b"&") >= most:
        raise too_many(most)
    pairs = []
    for part in body.replace(b"+", b" ").split(b"&"):
        name, equals, value = (unquote_to_bytes(piece) for piece in part.partition(b"="))
        if name or equals:
            field = _text(name)
            pairs.append((field, _text(value, field)))
    return pairs


def multipart(body: bytes, boundary: bytes, most: int) -> Pairs:
    """Return the fields of a multipart body in order. Raises as `urlencoded`, InvalidInput for a file, or ValueError."""
    if not boundary:
        raise ValueError("no boundary")
    decoder = MultipartDecoder(boundary, max_form_memory_size=len(body), max_parts=most)
    decoder.receive_data(body)
    decoder.receive_data(None)
    pairs: list[tuple[str, str]] = []
    name, parts = "", list[bytes]()
    try:
        while not isinstance(event := decoder.next_event(), Epilogue | NeedData):
            if isinstance(event, File):
                raise InvalidInput({named(event.name or "") or "body": NO_FILES}, NO_FILES)
            if isinstance(event, Field):
                # The decoder finds no name where the quotes do not end. Nobody offered such a field, and it says so.
                name, parts = event.name or "", []
            elif isinstance(event, Data):
                parts.append(event.data)
                if not event.more_data:
                    pairs.append((_text(name.encode("utf-8", "surrogatepass")), _text(b"".join(parts), name)))
    except RequestEntityTooLarge:
        raise too_many(most) from None
    return pairs


def json_object(body: bytes, most: int) -> dict[str, Any]:
    """Return the fields of a JSON object. Raises TooLarge, InvalidInput, and TypeError when it is no object; ValueError or
    RecursionError when it is not JSON. NaN is not JSON; neither is a repeated name.
    """

    def fields(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        if len(pairs) > most:
            raise too_many(most)
        return once(pairs)

    given = json.loads(_text(body), parse_constant=_refuse_constant, object_pairs_hook=fields)
    if not isinstance(given, dict):
        raise TypeError("not an object")
    if b"\\u" in body:  # only an escape can write a surrogate in UTF-8
        for name, value in given.items():
            _check_text(name, value)
    return given


def once(pairs: Iterable[tuple[str, Value]]) -> dict[str, Value]:
    """Return the fields by name. Raises ValueError when a name is repeated: two readers of one body could each take a
    different value (HTTP parameter pollution, ASVS 5.0 15.3.7).
    """
    fields: dict[str, Value] = {}
    for name, value in pairs:
        if name in fields:
            raise ValueError("a field is sent twice")
        fields[name] = value
    return fields


def is_text(address: bytes) -> bool:
    """Return whether a path or query is UTF-8 after percent-decoding."""
    if b"%" in address:
        try:
            unquote_to_bytes(address).decode("utf-8")
        except UnicodeDecodeError:
            return False
    return True


def named(name: str) -> str:
    """Return a client's field name in a form that is safe in an answer: valid text, cut to FIELD_NAME_MAX_CHARS."""
    return name[: limits.FIELD_NAME_MAX_CHARS].encode("utf-8", "replace").decode("utf-8")


def too_many(most: int) -> TooLarge:
    """Return the error for too many fields."""
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
