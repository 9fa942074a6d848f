"""Configure logging with structlog: one JSON line per request and per batch on standard output, in UTC.

Each line is one JSON object, also for library loggers, warnings and uncaught errors. It is ASCII, so that no program or
terminal sees a control character or line end inside it (C0 and C1 controls, U+2028). Passwords, tokens, e-mail addresses
and choices must not be logged; log calls name their fields.
"""

import json
import logging
import sys
import threading
from types import TracebackType
from typing import Any

import structlog

LIBRARIES = ("uvicorn.error", "gunicorn.error", "py.warnings")
ACCESS = ("uvicorn.access", "gunicorn.access")  # off: they log full URLs, and the app writes its own line

logger = structlog.get_logger()


def render(line: object, **how: Any) -> str:
    """Return a line as JSON in printable ASCII; values that JSON does not know become text."""
    return json.dumps(line, **{"default": str, **how}).replace("\x7f", "\\u007f")


def configure(part: str) -> None:
    """Configure logging for this process, including loggers of the standard library."""
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True, key="time"),
        _named(part),
        # Without local variables, which hold passwords and tokens.
        structlog.processors.ExceptionRenderer(structlog.tracebacks.ExceptionDictTransformer(show_locals=False)),
    ]
    structlog.configure(
        processors=[*shared, structlog.processors.JSONRenderer(render)],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        # One write per line including its end, so that lines of processes that share an output do not mix.
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
        line["part"] = part
        return line

    return add
