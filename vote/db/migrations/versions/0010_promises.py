"""Promises: corrections, reopenings, and holds while it is found out whether anybody has voted."""

from vote.db.migrations.plain_sql import sql_file

revision = "0010"
down_revision = "0009"

upgrade = sql_file("0010_promises.sql")
