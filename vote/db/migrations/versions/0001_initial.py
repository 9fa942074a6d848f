"""The first schema."""

from vote.db.migrations.plain_sql import apply

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Make everything."""
    apply("0001_initial.sql")
