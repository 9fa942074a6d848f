"""One Alembic revision per SQL file."""
