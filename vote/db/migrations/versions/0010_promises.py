"""Promises: corrections, reopenings, and holds while it is found out whether anybody has voted."""

from vote.db.migrations.plain_sql import apply

revision = "0010"
down_revision = "0009"


def upgrade() -> None:
    """Add them."""
    apply("0010_promises.sql")
