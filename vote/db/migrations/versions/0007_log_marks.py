"""Log marks: whose log it is, and how far each of its shards was acknowledged."""

from vote.db.migrations.plain_sql import sql_file

revision = "0007"
down_revision = "0006"

upgrade = sql_file("0007_log_marks.sql")
