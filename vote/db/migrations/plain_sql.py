"""Runs a SQL file beside this module inside Alembic's transaction, as it is written: no templating, no parameters."""

from pathlib import Path

from alembic import op
from psycopg import Connection

HERE = Path(__file__).parent


def apply(name: str) -> None:
    """Execute every statement of the file `name` in the migration's transaction."""
    driver = op.get_bind().connection.driver_connection
    assert isinstance(driver, Connection)
    driver.execute((HERE / name).read_bytes())
