"""Numbered SQL files and the thin Alembic revisions that run them in order."""
