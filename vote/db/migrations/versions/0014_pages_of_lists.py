"""Pages of lists: indexes that give closed competitions in order."""

from vote.db.migrations.plain_sql import apply

revision = "0014"
down_revision = "0013"


def upgrade() -> None:
    """Make them."""
    apply("0014_pages_of_lists.sql")
