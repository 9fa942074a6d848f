"""Pages of lists: indexes that give closed competitions in order."""

from vote.db.migrations.plain_sql import sql_file

revision = "0012"
down_revision = "0011"

upgrade = sql_file("0012_pages_of_lists.sql")
