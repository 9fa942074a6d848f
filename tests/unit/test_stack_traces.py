"""A stack trace names types and places, never data: whatever an error quotes stays out of the line."""

import json
import smtplib
from collections.abc import Callable

import psycopg
import pydantic
import pytest
import redis.exceptions

from tests.log_schema import schema
from vote.errors import LogUnavailable
from vote.stack_traces import FRAMES_MAX, as_fields

PLANTED = "planted-secret"


class Model(pydantic.BaseModel):
    """Quotes what it refuses."""

    number: int


def _key_error() -> None:
    {}[PLANTED]


def _unicode() -> None:
    f"{PLANTED}é".encode("ascii")


def _unique() -> None:
    raise psycopg.errors.UniqueViolation(f"duplicate key\nDETAIL:  Key (email)=({PLANTED}) already exists.")


def _smtp() -> None:
    raise smtplib.SMTPRecipientsRefused({PLANTED: (550, PLANTED.encode())})


def _redis() -> None:
    raise redis.exceptions.ResponseError(f"unknown command 'FCALLX', with args beginning with: '{PLANTED}'")


def _group() -> None:
    raise ExceptionGroup(PLANTED, [ValueError(PLANTED), OSError(2, "No such file")])


QUOTING: list[Callable[[], object]] = [
    lambda: int(PLANTED), _key_error, _unicode, lambda: Model.model_validate({"number": PLANTED}), _unique, _smtp, _redis,
    _group, lambda: json.loads(PLANTED), lambda: getattr(object(), PLANTED), lambda: bytes.fromhex(PLANTED),
]  # fmt: skip


def caught(act: Callable[[], object]) -> BaseException:
    """What it raises."""
    with pytest.raises(Exception) as raised:  # noqa: PT011  # any
        act()
    return raised.value


@pytest.mark.parametrize("act", QUOTING)
def test_what_an_error_quotes_is_not_in_it(act: Callable[[], object]) -> None:
    error = caught(act)

    fields = as_fields((type(error), error, error.__traceback__))

    assert PLANTED not in json.dumps(fields)
    assert fields[0]["type"]
    assert any("test_stack_traces.py" in frame for frame in fields[0]["frames"])


def test_a_cause_is_told_without_its_data_too() -> None:
    def chained() -> None:
        try:
            int(PLANTED)
        except ValueError as error:
            raise LogUnavailable("The ballot log refused.") from error

    error = caught(chained)
    fields = as_fields((type(error), error, error.__traceback__))

    assert [one["type"] for one in fields] == ["vote.errors.LogUnavailable", "ValueError"]
    assert fields[0]["text"] == "The ballot log refused."
    assert PLANTED not in json.dumps(fields)


def test_our_own_sentences_and_the_systems_stay() -> None:
    error = caught(lambda: open("/nowhere/at/all"))  # noqa: SIM115

    [fields] = as_fields((type(error), error, error.__traceback__))

    assert fields["text"] == "[Errno 2] No such file or directory: '/nowhere/at/all'"


def test_a_deep_stack_is_cut_to_its_innermost_frames() -> None:
    def deep(left: int) -> int:
        return deep(left - 1) if left else int(PLANTED)

    error = caught(lambda: deep(100))
    [fields] = as_fields((type(error), error, error.__traceback__))

    assert len(fields["frames"]) == FRAMES_MAX == schema()["$defs"]["exception"]["properties"]["frames"]["maxItems"]
    assert fields["frames"][-1].endswith(" deep")
