"""Log statements by name and time: with LOG_QUERIES=on each one, otherwise those that took LOG_SLOW_MS.

A statement's name is the function that sends it, such as `ballots.insert_journal`. Text and values are not logged: values
hold what people typed.
"""

import sys
from types import FrameType
from typing import Any

import structlog

from vote.config import LOG_SLOW_MS, Settings
from vote.metrics.stores import SLOW_STATEMENTS

# Modules that send for others: a reader looks for the callers. What they send for themselves is not logged.
PASSING_ON = ("vote.db.pool", "vote.db.statement_log", "vote.db.dedicated_connection")
FOR_THEMSELVES = ("_check", "_configure", "_connect")
HANDED_IN = ("fetch_all", "_stream")  # functions of db that are given a statement
BEGIN, COMMIT, STATEMENT = "begin", "commit", "statement"
KINDS = {"_enter_gen": BEGIN, "_exit_gen": COMMIT}  # of psycopg's transactions
NOT_SENT = ("_commit_gen", "_rollback_gen")  # outside transactions, in autocommit: nothing is asked

logger = structlog.get_logger()


class StatementLog:
    """The process's threshold; one object, since connections are made in many places."""

    def __init__(self) -> None:
        self.is_every = False
        self.slow_s = LOG_SLOW_MS / 1000

    def configure(self, settings: Settings) -> None:
        """Take LOG_QUERIES and LOG_SLOW_MS, for connections that are open already too."""
        self.is_every, self.slow_s = settings.log_queries, settings.log_slow_ms / 1000

    def note(self, seconds: float, gen: Any) -> None:
        """Log a statement that has just been answered; `gen` is psycopg's generator of the exchange."""
        is_slow, exchange = seconds >= self.slow_s, getattr(gen, "__name__", "")
        if not (is_slow or self.is_every) or exchange in NOT_SENT:
            return
        kind, name = _sender(sys._getframe(1), KINDS.get(exchange, STATEMENT))
        if name is not None:
            SLOW_STATEMENTS.inc(int(is_slow))
            log = logger.warning if is_slow else logger.info
            log("slow statement" if is_slow else "statement", kind=kind, statement=name, ms=round(seconds * 1000, 2))


STATEMENTS = StatementLog()


def _sender(frame: FrameType | None, kind: str) -> tuple[str, str | None]:
    """Return the kind of exchange, and `module.function` of the innermost function of ours that wants it (None: nobody)."""
    while frame is not None:
        module, code = str(frame.f_globals.get("__name__", "")), frame.f_code
        if module in PASSING_ON:
            if code.co_name in FOR_THEMSELVES:
                return kind, None
            kind = BEGIN if code.co_name == "_begin" else kind
        elif module.startswith("vote.") and code.co_name not in HANDED_IN:
            return kind, f"{module.removeprefix('vote.').removeprefix('db.')}.{code.co_qualname}"
        frame = frame.f_back
    return kind, None
