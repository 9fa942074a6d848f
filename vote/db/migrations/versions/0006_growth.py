"""Growth: indexes for what is looked up, listed and tidied among many rows."""

from vote.db.migrations.plain_sql import apply

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    """Make them."""
    apply("0006_growth.sql")
