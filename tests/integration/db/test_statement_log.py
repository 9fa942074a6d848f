"""Statements in the log: each by name and time with LOG_QUERIES=on, slow ones always, values never."""

from collections.abc import Iterator
from typing import Any

import pytest
from structlog.testing import capture_logs

from vote.config import Settings
from vote.db import users
from vote.db.dedicated_connection import DedicatedConnection
from vote.db.pool import Database, Tx
from vote.db.statement_log import STATEMENTS

PLANTED = "planted-name"


@pytest.fixture
def configured(settings: Settings) -> Iterator[Any]:
    """Takes settings for the log of statements, until the test ends."""

    def configure(**values: Any) -> None:
        STATEMENTS.configure(settings.model_copy(update=values))

    yield configure
    STATEMENTS.configure(settings)


def slow(tx: Tx) -> None:
    """A statement of a tenth of a second."""
    tx.execute("SELECT pg_sleep(0.1), %s::text", (PLANTED,))


def test_every_statement_has_a_line_when_asked_for(
    configured: Any, owner: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(globals(), "__name__", "vote.planted")  # the log names functions of ours alone
    with owner.read():
        pass  # connected
    configured(log_queries=True, log_slow_ms=60_000)

    with capture_logs() as lines:
        with owner.read() as tx:
            users.find_by_username(tx, PLANTED)
        with owner.transaction(by="tests") as tx:
            users.any_admin(tx)

    here = "planted.test_every_statement_has_a_line_when_asked_for"
    assert [(line["kind"], line["statement"]) for line in lines] == [
        ("statement", "users.find_by_username"),
        ("begin", here),
        ("begin", here),  # who acts, and how long the transaction may be idle
        ("statement", "users.any_admin"),
        ("commit", here),
    ]
    assert all(line["event"] == "statement" and line["log_level"] == "info" and line["ms"] >= 0 for line in lines)
    assert PLANTED not in str(lines)


def test_a_slow_statement_has_a_line_unasked(configured: Any, owner: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(globals(), "__name__", "vote.db.planted")
    configured(log_slow_ms=50)

    with capture_logs() as lines, owner.read() as tx:
        users.any_admin(tx)
        slow(tx)

    [line] = lines
    assert (line["event"], line["log_level"], line["statement"]) == ("slow statement", "warning", "planted.slow")
    assert line["ms"] >= 100
    assert PLANTED not in str(line)


def test_what_a_pool_sends_for_itself_has_none(configured: Any, settings: Settings) -> None:
    configured(log_queries=True)
    db, alone = (
        Database(settings.database("web"), size=1, name="tests"),
        DedicatedConnection(settings.database("web"), name="tests"),
    )

    with capture_logs() as lines:
        with db.read():
            pass  # connected, configured and checked
        alone.ask(users.any_admin)

    assert [line["statement"] for line in lines] == ["users.any_admin"]
    db.close()
    alone.close()
