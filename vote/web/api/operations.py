"""Declares each API route for the OpenAPI document, beside the route; `openapi.py` assembles the document."""

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal, TypeVar

from flask import Response, jsonify
from pydantic import BaseModel

View = TypeVar("View", bound=Callable[..., Any])

Tag = Literal["accounts", "voting", "competitions", "administration", "service"]
Answers = Mapping[int, type[BaseModel] | None]

_ATTRIBUTE = "operation"


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """The description of a call, used as a decorator below the route's.

    Without a `summary` it takes summary and description from the view's docstring. `openapi.py` adds what follows from
    the access rule, the body and the ids in the address.
    """

    summary: str = ""
    tag: Tag
    answers: Answers
    description: str = ""
    body: type[BaseModel] | None = None
    problems: tuple[int, ...] = ()
    query: Mapping[str, str] | None = None
    request_headers: Mapping[str, str] | None = None
    response_headers: Mapping[str, str] | None = None

    def __call__(self, view: View) -> View:
        """Attach the description to a view."""
        setattr(view, _ATTRIBUTE, self if self.summary else self._described_by(view))
        return view

    def _described_by(self, view: Callable[..., Any]) -> "Operation":
        summary, _, description = (inspect.getdoc(view) or "").partition("\n\n")
        return replace(self, summary=summary.rstrip("."), description=" ".join(description.split()))


def operation_of(view: Callable[..., Any]) -> Operation | None:
    """Return the description of a view; None for pages and files."""
    found: Operation | None = getattr(view, _ATTRIBUTE, None)
    return found


def answer(body: BaseModel, status: int = 200, *, headers: Mapping[str, str] | None = None) -> Response:
    """Return a model as a JSON answer."""
    response = jsonify(body.model_dump(mode="json"))
    response.status_code = status
    response.headers.update(headers or {})
    return response


def nothing(status: int = 204) -> Response:
    """Return an answer without content: done, or with 202 under way."""
    return Response(status=status)
