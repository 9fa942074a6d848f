"""Logging: one JSON line per request and per batch on standard output, in UTC, by structlog.

No password, token, e-mail address or choice belongs in a line; whoever writes one names its fields.
"""

import logging
import sys
from typing import Any

import structlog


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
        processors=[*shared, structlog.processors.JSONRenderer()],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        logger_factory=structlog.PrintLoggerFactory(sys.stdout),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[structlog.stdlib.ExtraAdder(), *shared],
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.JSONRenderer(),
            ],
        )
    )
    logging.basicConfig(handlers=[handler], level=logging.WARNING, force=True)


def _named(part: str) -> Any:
    def add(_logger: Any, _method: str, line: dict[str, Any]) -> dict[str, Any]:
        line["part"] = part
        return line

    return add
