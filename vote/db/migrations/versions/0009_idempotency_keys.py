"""Idempotency keys: the answers that second presses of forms get."""

from vote.db.migrations.plain_sql import sql_file

revision = "0009"
down_revision = "0008"

upgrade = sql_file("0009_idempotency_keys.sql")
