"""The first schema."""

from vote.db.migrations.plain_sql import sql_file

revision = "0001"
down_revision = None

upgrade = sql_file("0001_initial.sql")
