"""Accounts that nobody uses: the day of the last login, and their erasure."""

from vote.db.migrations.plain_sql import apply

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Add both."""
    apply("0003_unused_accounts.sql")
