"""Logins: what guessing costs, known devices, mail on its way."""

from vote.db.migrations.plain_sql import apply

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Add the tables."""
    apply("0004_logins.sql")
