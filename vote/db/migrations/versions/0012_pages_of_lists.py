"""Pages of lists: indexes that give closed competitions in order."""

from vote.db.migrations.plain_sql import apply

revision = "0012"
down_revision = "0011"


def upgrade() -> None:
    """Make them."""
    apply("0012_pages_of_lists.sql")
