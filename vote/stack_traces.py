"""Render an exception as fields of a log line: types, places, and no data.

Local variables hold passwords, and so does the text of many errors: a driver quotes the row that violated a constraint, a
parser what it could not read. So a text is kept only where no client can have written it; of a database error, its code and
the names of what it concerns.
"""

import traceback
from pathlib import PurePath
from smtplib import SMTPException
from types import TracebackType
from typing import Any

import psycopg
import redis.exceptions

from vote.errors import VoteError

ExcInfo = tuple[type[BaseException], BaseException, TracebackType | None]

FRAMES_MAX = 20  # the innermost ones
CHAINED_MAX = 5
FOLDERS_SHOWN = 2
# Ours are sentences; the operating system's and the connection's name files, hosts and reasons.
SAFE_TEXTS = (VoteError, OSError, redis.exceptions.ConnectionError, redis.exceptions.TimeoutError)


def as_fields(exc_info: ExcInfo) -> list[dict[str, Any]]:
    """Return the exception, then what it came of, each with its frames from the outermost to the innermost."""
    error: BaseException | None = exc_info[1]
    trace = exc_info[2]
    chain: list[dict[str, Any]] = []
    while error is not None and len(chain) < CHAINED_MAX:
        chain.append(_one(error, trace))
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
        trace = error.__traceback__ if error is not None else None
    return chain


def _one(error: BaseException, trace: TracebackType | None) -> dict[str, Any]:
    kind = type(error)
    name = kind.__qualname__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__qualname__}"
    return {"type": name, **_details(error), "frames": _frames(trace)}


def _details(error: BaseException) -> dict[str, Any]:
    if isinstance(error, SAFE_TEXTS) and not isinstance(error, SMTPException):  # it repeats the address
        return {"text": str(error)}
    if isinstance(error, psycopg.Error):
        about = {
            "sqlstate": error.sqlstate,
            "table": error.diag.table_name,
            "column": error.diag.column_name,
            "constraint": error.diag.constraint_name,
        }
        return {name: value for name, value in about.items() if value}
    if isinstance(error, BaseExceptionGroup):
        return {"exceptions": [_one(inner, inner.__traceback__) for inner in error.exceptions[:CHAINED_MAX]]}
    return {}


def _frames(trace: TracebackType | None) -> list[str]:
    """Return `folder/file:line function` of each frame."""
    frames = list(traceback.walk_tb(trace))[-FRAMES_MAX:]
    return [f"{_place(frame.f_code.co_filename)}:{line} {frame.f_code.co_name}" for frame, line in frames]


def _place(filename: str) -> str:
    return "/".join(PurePath(filename).parts[-FOLDERS_SHOWN - 1 :])
