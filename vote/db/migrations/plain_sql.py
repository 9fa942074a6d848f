"""Runs a SQL file beside this module as it is written: no templating, no parameters.

A file runs in the migration's transaction. One whose name ends in `_online.sql` runs statement by statement outside of any,
for what takes long and stops nobody: CREATE INDEX CONCURRENTLY, VALIDATE CONSTRAINT. It must stand a repetition from its
beginning, because an interrupted one stays half done.
"""

from collections.abc import Callable
from pathlib import Path

from alembic import op
from psycopg import Connection

HERE = Path(__file__).parent
ONLINE = "_online.sql"
# These wait for transactions that began before them, in a queue that neither readers nor writers stand in.
ONLINE_LOCK_TIMEOUT = "60s"


def sql_file(name: str) -> Callable[[], None]:
    """Return the `upgrade` of a revision that is a SQL file and nothing else."""

    def upgrade() -> None:
        apply(name)

    return upgrade


def apply(name: str) -> None:
    """Execute the statements of the file `name`: in the migration's transaction, or each by itself in an online one."""
    sql = (HERE / name).read_text(encoding="utf-8")
    if not name.endswith(ONLINE):
        _driver().execute(sql.encode())
        return
    with op.get_context().autocommit_block():
        driver = _driver()
        driver.execute(f"SET lock_timeout = '{ONLINE_LOCK_TIMEOUT}'".encode())
        driver.execute(b"SET statement_timeout = 0")
        for statement in online_statements(sql):
            driver.execute(statement.encode())


def online_statements(sql: str) -> list[str]:
    """Return the statements of an online file: each ends with a semicolon at the end of a line, comments are dropped."""
    lines = [line.split("--", 1)[0].rstrip() for line in sql.splitlines()]
    return [statement for part in "\n".join(lines).split(";\n") if (statement := part.strip().removesuffix(";"))]


def _driver() -> Connection:
    driver = op.get_bind().connection.driver_connection
    assert isinstance(driver, Connection)
    return driver
