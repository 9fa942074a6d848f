"""Alembic revisions, one per SQL file."""
