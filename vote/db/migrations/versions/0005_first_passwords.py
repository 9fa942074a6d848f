"""First passwords: which accounts have one that somebody else made."""

from vote.db.migrations.plain_sql import apply

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    """Add the column."""
    apply("0005_first_passwords.sql")
