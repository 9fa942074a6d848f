"""Idempotency keys: the answers that second presses of forms get."""

from vote.db.migrations.plain_sql import apply

revision = "0009"
down_revision = "0008"


def upgrade() -> None:
    """Make the table."""
    apply("0009_idempotency_keys.sql")
