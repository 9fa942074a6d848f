"""Configure logging with structlog: one JSON line per event on standard output, in UTC (docs/logs.schema.json).

Each line is one JSON object, also for library loggers, warnings and uncaught errors. It is ASCII, so that no program or
terminal sees a control character or line end inside it (C0 and C1 controls, U+2028). Passwords, tokens, email addresses
and choices must not be logged; log calls name their fields.
"""

import json
import logging
import sys
import threading
from contextvars import ContextVar
from types import TracebackType
from typing import Any, TextIO

import structlog

from vote import stack_traces

LIBRARIES = ("uvicorn.error", "gunicorn.error", "py.warnings")
ACCESS = ("uvicorn.access", "gunicorn.access")  # off: they log full URLs, and the app writes its own line
LIBRARY_EVENT = "library"
MESSAGE_MAX_CHARS = 500

logger = structlog.get_logger()

_request_id: ContextVar[str | None] = ContextVar("request_id", default=None)


def bind_request_id(request_id: str) -> None:
    """Add this id to every line that this task, and the threads it waits for, will write."""
    _request_id.set(request_id)


def render(line: object, **how: Any) -> str:
    """Return a line as JSON in printable ASCII; values that JSON does not know become text."""
    return json.dumps(line, **{"default": str, **how}).replace("\x7f", "\\u007f")


def configure(part: str) -> None:
    """Configure logging for this process, including loggers of the standard library."""
    _configure(part, sys.stdout, logging.INFO, is_last=True)
    foreign: list[Any] = [_library_line, *_processors(part)]
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=foreign,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.JSONRenderer(render),
            ],
        )
    )
    logging.basicConfig(handlers=[handler], level=logging.WARNING, force=True)
    logging.captureWarnings(True)
    route_libraries()
    sys.excepthook = _log_uncaught
    threading.excepthook = lambda failed: _log_uncaught(
        failed.exc_type, failed.exc_value, failed.exc_traceback, thread=failed.thread.name if failed.thread else None
    )
    sys.unraisablehook = lambda failed: _log_uncaught(
        failed.exc_type, failed.exc_value, failed.exc_traceback, where=failed.err_msg or "in a destructor"
    )


def configure_command() -> None:
    """Configure a command that ends: warnings go to standard error, since standard output is its answer.

    On a terminal they are text for people; elsewhere, as in a container, they are lines like all others.
    """
    if sys.stderr.isatty():
        structlog.configure(
            wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING),
            logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        )
    else:
        _configure("command", sys.stderr, logging.WARNING, is_last=False)


def _configure(part: str, output: TextIO, level: int, *, is_last: bool) -> None:
    structlog.configure(
        processors=[*_processors(part), structlog.processors.JSONRenderer(render)],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        # One write per line including its end, so that lines of processes that share an output do not mix.
        logger_factory=structlog.WriteLoggerFactory(output),
        cache_logger_on_first_use=is_last,  # `vote worker` begins as a command
    )


def _processors(part: str) -> list[Any]:
    return [
        _with_request_id,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True, key="time"),
        _named(part),
        structlog.processors.ExceptionRenderer(stack_traces.as_fields),
    ]


def route_libraries() -> None:
    """Route the servers' loggers through the root handler; their own handlers would write plain text."""
    for name in LIBRARIES:
        logger = logging.getLogger(name)
        logger.handlers.clear()
        logger.propagate = True
    for name in ACCESS:
        logger = logging.getLogger(name)
        logger.handlers.clear()
        logger.propagate = False


def _log_uncaught(
    kind: type[BaseException], error: BaseException | None, trace: TracebackType | None, **more: Any
) -> None:
    if issubclass(kind, KeyboardInterrupt):
        return  # Ctrl-C is no error
    logger.critical("uncaught", exc_info=(kind, error, trace), **more)


def _named(part: str) -> Any:
    def add(_logger: Any, _method: str, line: dict[str, Any]) -> dict[str, Any]:
        """Add the part, and drop fields without a value."""
        return {name: value for name, value in line.items() if value is not None} | {"part": part}

    return add


def _with_request_id(_logger: Any, _method: str, line: dict[str, Any]) -> dict[str, Any]:
    request_id = _request_id.get()
    if request_id is not None:
        line.setdefault("request_id", request_id)
    return line


def _library_line(_logger: Any, _method: str, line: dict[str, Any]) -> dict[str, Any]:
    """Give a library's line an event of ours: its own sentence differs each time, and events are few."""
    name = line["_record"].name
    return line | {"event": LIBRARY_EVENT, "logger": name, "message": _message(name, str(line["event"]))}


def _message(name: str, text: str) -> str:
    """Return the first line of a library's sentence. asyncio goes on with the callback's arguments: leave them out."""
    first = text.partition("\n")[0]
    if name == "asyncio":
        first = first.partition("(")[0].partition("<")[0].strip()
    return first[:MESSAGE_MAX_CHARS]
