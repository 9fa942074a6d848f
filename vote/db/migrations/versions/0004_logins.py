"""Logins: what guessing costs, known devices, mail on its way."""

from vote.db.migrations.plain_sql import sql_file

revision = "0004"
down_revision = "0003"

upgrade = sql_file("0004_logins.sql")
