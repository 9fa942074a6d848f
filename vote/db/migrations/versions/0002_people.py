"""People for admins: an index on names, and an audit row for who is logged out everywhere."""

from vote.db.migrations.plain_sql import apply

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Add both."""
    apply("0002_people.sql")
