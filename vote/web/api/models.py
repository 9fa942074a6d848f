"""The models that all others of the API build on, and the two that many calls share."""

from pydantic import BaseModel, ConfigDict

NEXT = "Send it as `after` for the next page; null on the last page."


class Input(BaseModel):
    """Base of input models. An unknown field is refused, so that a typo does not pass silently."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)


class Output(BaseModel):
    """Base of output models. Times are in UTC, ISO 8601."""

    model_config = ConfigDict(extra="forbid", frozen=True, from_attributes=True)


class Nothing(Input):
    """A body without fields."""


class Sparse(Output):
    """An answer that omits fields with their default value."""

    model_config = ConfigDict(json_schema_mode_override="validation")


class Problem(Sparse):
    """An error (RFC 9457). `detail` says what went wrong and what to do, `errors` has a sentence per wrong field."""

    type: str = "about:blank"
    title: str
    status: int
    detail: str
    request_id: str
    errors: dict[str, str] | None = None
