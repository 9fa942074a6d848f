"""First passwords: which accounts have one that somebody else made."""

from vote.db.migrations.plain_sql import sql_file

revision = "0005"
down_revision = "0004"

upgrade = sql_file("0005_first_passwords.sql")
