"""Numbers: random ones for accounts, and none that is given twice by a database that lost its newest rows."""

from vote.db.migrations.plain_sql import apply

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    """Make them."""
    apply("0008_numbers.sql")
