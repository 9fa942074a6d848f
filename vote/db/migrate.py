"""Migrates a database to the newest schema. Alembic keeps the order; the migrations themselves are plain SQL files."""

from pathlib import Path

import psycopg
from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, create_engine, text
from sqlalchemy.exc import OperationalError
from sqlalchemy.pool import NullPool

from vote import tcp_keepalive
from vote.errors import ConfigError, DatabaseUnavailable

MIGRATIONS = Path(__file__).parent / "migrations"
LOCK = 0x766F7465  # "vote": two migrations of one database wait for each other
LOCK_TIMEOUT = "4s"  # a migration that cannot get its lock gives up before the queue behind it hurts
CONNECT_TIMEOUT_S = 5  # for each address; the migration itself has no limit
OLDEST_POSTGRESQL = 150000


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    return config


def newest() -> str:
    """Return the revision this code needs."""
    head = ScriptDirectory.from_config(_config()).get_current_head()
    assert head is not None
    return head


def upgrade(url: str) -> tuple[str | None, str]:
    """Apply the missing migrations to the database at `url` (a postgresql:// URL of its owner).

    Returns the revisions before and after; a second call changes nothing. Raises DatabaseUnavailable when it cannot
    connect or a lock is not free within LOCK_TIMEOUT, ConfigError when the server is older than PostgreSQL 15.
    """
    options = {**tcp_keepalive.for_postgres(url), "connect_timeout": CONNECT_TIMEOUT_S}
    engine = create_engine(_for_alchemy(url), poolclass=NullPool, connect_args=options)
    try:
        with engine.connect() as connection:
            before = _prepare(connection)
            config = _config()
            config.attributes["connection"] = connection
            command.upgrade(config, "head")
            connection.commit()
            return before, newest()
    except OperationalError as error:
        raise DatabaseUnavailable(f"The database cannot be migrated: {error.orig}") from error
    except psycopg.OperationalError as error:  # of a migration itself, which the driver runs: a lock that is not free
        raise DatabaseUnavailable(f"The database cannot be migrated: {error}") from error
    finally:
        engine.dispose()


def _prepare(connection: Connection) -> str | None:
    version = connection.execute(text("SELECT current_setting('server_version_num')::int")).scalar_one()
    if version < OLDEST_POSTGRESQL:
        raise ConfigError("PostgreSQL 15 or newer is needed.")
    connection.execute(text("SELECT pg_advisory_lock(:lock)"), {"lock": LOCK})
    connection.execute(text(f"SET lock_timeout = '{LOCK_TIMEOUT}'"))
    connection.commit()
    before = MigrationContext.configure(connection).get_current_revision()
    connection.commit()
    return before


def _for_alchemy(url: str) -> str:
    """Return the URL with the driver's name, which SQLAlchemy needs and libpq does not know."""
    return "postgresql+psycopg://" + url.split("://", 1)[1]
