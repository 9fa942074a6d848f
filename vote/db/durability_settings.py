"""Checks that this PostgreSQL keeps committed data; `/ready` depends on it."""

from typing import NamedTuple

from vote.db.pool import Tx

SAFE = {"fsync": "on", "full_page_writes": "on"}
SAFE_COMMITS = frozenset(("on", "local", "remote_write", "remote_apply"))  # all wait for the local disk


class DurabilityReport(NamedTuple):
    """Settings that may lose a committed vote, and settings that deserve a warning."""

    unsafe: list[str]
    warnings: list[str]


def check(tx: Tx) -> DurabilityReport:
    """Return the settings with which this server may lose a committed vote; empty lists if there are none."""
    names = [*SAFE, "synchronous_commit", "data_checksums", "statement_timeout"]
    rows = tx.execute("SELECT name, setting FROM pg_settings WHERE name = ANY(%s)", (names,)).fetchall()
    present: dict[str, str] = dict(rows)
    unsafe = [
        f"PostgreSQL runs {name} {present.get(name)}, it needs {value}"
        for name, value in SAFE.items()
        if present.get(name) != value
    ]
    if (commit := present.get("synchronous_commit", "")) not in SAFE_COMMITS:
        unsafe.append(f"PostgreSQL runs synchronous_commit {commit}, it needs on")
    warnings = [] if present.get("data_checksums") == "on" else ["PostgreSQL runs without data checksums"]
    if present.get("statement_timeout") == "0":  # only where a pooler sets it, or should (docs/adr/0027)
        warnings.append("the connections of DATABASE_URL_WEB have no statement_timeout: set it with connect_query")
    return DurabilityReport(unsafe, warnings)
