"""Numbers: random ones for accounts, and none that is given twice by a database that lost its newest rows."""

from vote.db.migrations.plain_sql import sql_file

revision = "0008"
down_revision = "0007"

upgrade = sql_file("0008_numbers.sql")
