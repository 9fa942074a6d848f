"""Whether this PostgreSQL keeps what it has committed: asked by /ready, so that nobody votes on sand."""

from typing import NamedTuple

from vote.db.pool import Tx

SAFE = {"fsync": "on", "full_page_writes": "on"}
SAFE_COMMITS = frozenset(("on", "local", "remote_write", "remote_apply"))  # all wait for the local disk


class DurabilityReport(NamedTuple):
    """What must not be, and what should not be."""

    unsafe: list[str]
    warnings: list[str]


def check(tx: Tx) -> DurabilityReport:
    """Why this server may lose a committed vote; empty lists when it is as it should be."""
    names = [*SAFE, "synchronous_commit", "data_checksums", "statement_timeout"]
    rows = tx.execute("SELECT name, setting FROM pg_settings WHERE name = ANY(%s)", (names,)).fetchall()
    found: dict[str, str] = dict(rows)
    unsafe = [
        f"PostgreSQL runs {name} {found.get(name)}, it needs {value}"
        for name, value in SAFE.items()
        if found.get(name) != value
    ]
    if (commit := found.get("synchronous_commit", "")) not in SAFE_COMMITS:
        unsafe.append(f"PostgreSQL runs synchronous_commit {commit}, it needs on")
    warnings = [] if found.get("data_checksums") == "on" else ["PostgreSQL runs without data checksums"]
    if found.get("statement_timeout") == "0":  # only where a pooler sets it, or should (docs/adr/0027)
        warnings.append("the connections of DATABASE_URL_WEB have no statement_timeout: set it with connect_query")
    return DurabilityReport(unsafe, warnings)
