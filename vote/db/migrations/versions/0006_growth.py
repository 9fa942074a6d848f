"""Growth: indexes for what is looked up, listed and tidied among many rows."""

from vote.db.migrations.plain_sql import sql_file

revision = "0006"
down_revision = "0005"

upgrade = sql_file("0006_growth.sql")
