"""Accounts that nobody uses: the day of the last login, and their erasure."""

from vote.db.migrations.plain_sql import sql_file

revision = "0003"
down_revision = "0002"

upgrade = sql_file("0003_unused_accounts.sql")
