"""Logging: one JSON line per request and per batch on standard output, in UTC, by structlog.

One line is one JSON object, whoever writes it: loggers of libraries, warnings, and errors that nothing caught too. It is
ASCII, so that nothing in it moves a cursor or ends a line, for programs and terminals (C0 and C1 controls, U+2028).
No password, token, e-mail address or choice belongs in a line; whoever writes one names its fields.
"""

import json
import logging
import sys
import threading
from types import TracebackType
from typing import Any

import structlog

LIBRARIES = ("uvicorn.error", "gunicorn.error", "py.warnings")
ACCESS = ("uvicorn.access", "gunicorn.access")  # off: they would write whole addresses, and the app has its own line

logger = structlog.get_logger()


def render(line: object, **how: Any) -> str:
    """A line as JSON in printable ASCII; what JSON does not know is written as its text."""
    return json.dumps(line, **{"default": str, **how}).replace("\x7f", "\\u007f")


def configure(part: str) -> None:
    """Set logging up for this process. Lines of the standard library's loggers take the same form."""
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True, key="time"),
        _named(part),
        # Without local variables: they hold passwords and tokens.
        structlog.processors.ExceptionRenderer(structlog.tracebacks.ExceptionDictTransformer(show_locals=False)),
    ]
    structlog.configure(
        processors=[*shared, structlog.processors.JSONRenderer(render)],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        # One write for each line with its end: several processes write to one output, and lines of theirs may not mix.
        logger_factory=structlog.WriteLoggerFactory(sys.stdout),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[structlog.stdlib.ExtraAdder(), *shared],
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


def route_libraries() -> None:
    """Let the servers' loggers write through the root's handler; they come with handlers of their own, in plain text."""
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
        return  # somebody pressed Ctrl-C: that is no error
    logger.critical("uncaught", exc_info=(kind, error, trace), **more)


def _named(part: str) -> Any:
    def add(_logger: Any, _method: str, line: dict[str, Any]) -> dict[str, Any]:
        line["part"] = part
        return line

    return add
