"""Reads a request's body, in any encoding, into a model; reports errors as a sentence per field."""

from typing import Any, TypeVar

from flask import request
from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails
from werkzeug.exceptions import BadRequest

from vote.domain.competition import OPTION_KEYS
from vote.errors import InvalidInput, WrongMediaType
from vote.identity import csrf, idempotency_keys
from vote.input_limits import FIELDS_MAX, UNKNOWN_FIELDS_NAMED_MAX
from vote.server import body_parsers

Model = TypeVar("Model", bound=BaseModel)

FORMS = (body_parsers.FORM, body_parsers.MULTIPART)
LISTS = {"options"}  # fields that a form may name more than once
OF_PAGES = (csrf.FIELD, idempotency_keys.FIELD, "next")  # fields that pages add to every form
TIME = "Give the time with its zone, for example 2030-01-31T18:00:00Z."
TRUE_OR_FALSE = "This must be true or false."
SENTENCES = {  # by pydantic's error type, with placeholders for its numbers
    "missing": "This field is required.",
    "extra_forbidden": "There is no such field. Remove it, or check its spelling.",
    "string_type": "This must be text.",
    "string_unicode": body_parsers.NO_TEXT,
    "string_too_short": "Use at least {min_length} characters.",
    "string_too_long": "Use at most {max_length} characters.",
    "too_short": "Give at least {min_length}.",
    "too_long": "Give at most {max_length}.",
    "bool_type": TRUE_OR_FALSE,
    "bool_parsing": TRUE_OR_FALSE,
    "list_type": "This must be a list.",
    "literal_error": "This must be {expected}.",
    "datetime_parsing": TIME,
    "datetime_from_date_parsing": TIME,
    "timezone_aware": TIME,
}
NOT_JSON = "The body is not JSON, or repeats a field. Check quotes and commas, and send it as UTF-8."
OTHERWISE = "This value cannot be used. Check how it is written."


def read(model: type[Model]) -> Model:
    """Return the body as this model. Raises InvalidInput with a sentence per field; first BadRequest, TooLarge,
    WrongMediaType.
    """
    return check(model, fields(model))


def check(model: type[Model], given: dict[str, Any]) -> Model:
    """Return these fields as this model. Raises InvalidInput with a sentence per field."""
    try:
        return model.model_validate(given)
    except ValidationError as error:
        raise InvalidInput(_sentences(model, error)) from None


def fields(model: type[BaseModel]) -> dict[str, Any]:
    """Return the body's fields unchecked."""
    if request.is_json:
        return _json(model)
    if request.mimetype in FORMS or (not request.mimetype and not request.content_length):
        return _form(model)
    raise WrongMediaType


def _json(model: type[BaseModel]) -> dict[str, Any]:
    text = request.get_data()
    if not text and not model.model_fields:
        return {}  # some clients send a type without a body
    try:
        return body_parsers.json_object(text, FIELDS_MAX)
    except TypeError:
        raise BadRequest("The JSON must be an object with named fields.") from None
    except (ValueError, RecursionError):
        raise BadRequest(NOT_JSON) from None


def _form(model: type[BaseModel]) -> dict[str, Any]:
    if twice := {name for name, values in request.form.lists() if len(values) > 1} - LISTS:
        named = map(body_parsers.named, sorted(twice)[:UNKNOWN_FIELDS_NAMED_MAX])
        raise InvalidInput(dict.fromkeys(named, "This was sent more than once."))
    given: dict[str, Any] = {name: value for name, value in request.form.items() if name not in OF_PAGES}
    for name in given.keys() & LISTS & model.model_fields.keys():
        given[name] = request.form.getlist(name)
    return given


def _sentences(model: type[BaseModel], error: ValidationError) -> dict[str, str]:
    """Return a sentence per field; for unknown fields only some, so that the answer is not a multiple of the request."""
    sentences: dict[str, str] = {}
    unknown = 0
    for problem in error.errors(include_url=False, include_input=False):
        unknown += problem["type"] == "extra_forbidden"
        if problem["type"] != "extra_forbidden" or unknown <= UNKNOWN_FIELDS_NAMED_MAX:
            sentences.setdefault(body_parsers.named(_field(problem)), _sentence(model, problem))
    return sentences


def _field(problem: ErrorDetails) -> str:
    match problem["loc"]:
        case ("options", int(index), *_) if index < len(OPTION_KEYS):
            return f"option_{OPTION_KEYS[index]}"
        case (str(name), *_):
            return name
        case _:
            return "options"  # the only check over several fields (`competition_models.py`)


def _sentence(model: type[BaseModel], problem: ErrorDetails) -> str:
    context, kind = problem.get("ctx", {}), problem["type"]
    if kind == "value_error":
        return str(context["error"])
    if kind == "string_pattern_mismatch":
        return model.model_fields[str(problem["loc"][0])].description or OTHERWISE
    if kind == "string_too_short" and context["min_length"] == 1:
        return SENTENCES["missing"]
    return SENTENCES.get(kind, OTHERWISE).format_map(context)
