"""What each API route says of itself for the OpenAPI document: declared beside the route, put together in `openapi.py`."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, TypeVar

from flask import Response, jsonify
from pydantic import BaseModel

View = TypeVar("View", bound=Callable[..., Any])

Tag = Literal["accounts", "voting", "competitions", "administration", "service"]
Answers = Mapping[int, type[BaseModel] | None]

_ATTRIBUTE = "operation"


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """One call. What follows from the access rule, the body and the ids in the address is added by `openapi.py`."""

    summary: str
    tag: Tag
    answers: Answers
    description: str = ""
    body: type[BaseModel] | None = None
    body_optional: bool = False
    problems: tuple[int, ...] = ()
    query: Mapping[str, str] | None = None
    request_headers: Mapping[str, str] | None = None
    response_headers: Mapping[str, str] | None = None


def describe(operation: Operation) -> Callable[[View], View]:
    """Declare what a view does. It stands under the route's decorator."""

    def declare(view: View) -> View:
        setattr(view, _ATTRIBUTE, operation)
        return view

    return declare


def operation_of(view: Callable[..., Any]) -> Operation | None:
    """What a view said of itself; None for pages and files."""
    found: Operation | None = getattr(view, _ATTRIBUTE, None)
    return found


def answer(body: BaseModel, status: int = 200, *, headers: Mapping[str, str] | None = None) -> Response:
    """A model as a JSON answer."""
    response = jsonify(body.model_dump(mode="json"))
    response.status_code = status
    response.headers.update(headers or {})
    return response


def nothing(status: int = 204) -> Response:
    """It is done, or with 202 it will be, and there is nothing to say about it."""
    return Response(status=status)
