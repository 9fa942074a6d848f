"""Alembic's entry: it hands the open connection of `vote/db/migrate.py` to the revisions."""

from alembic import context

connection = context.config.attributes["connection"]
context.configure(connection=connection, transaction_per_migration=True)
with context.begin_transaction():
    context.run_migrations()
