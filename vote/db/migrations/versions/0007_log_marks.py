"""Log marks: whose log it is, and how far each of its shards was acknowledged."""

from vote.db.migrations.plain_sql import apply

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    """Give the installation its id, and make the table of marks."""
    apply("0007_log_marks.sql")
