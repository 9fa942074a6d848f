"""People for admins: an index on names, and an audit row for who is logged out everywhere."""

from vote.db.migrations.plain_sql import sql_file

revision = "0002"
down_revision = "0001"

upgrade = sql_file("0002_people.sql")
