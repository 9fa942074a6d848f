"""Migrates a database to the newest schema. Alembic keeps the order; the migrations themselves are plain SQL files.

Each migration runs while people vote. It gives up waiting for a lock after LOCK_TIMEOUT, because later users of the
same table queue behind it, and retries after a pause in which that queue empties.
"""

import time
from pathlib import Path

import psycopg
import structlog
from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from psycopg.errors import DeadlockDetected, LockNotAvailable
from sqlalchemy import Connection, create_engine, text
from sqlalchemy.exc import OperationalError
from sqlalchemy.pool import NullPool

from vote import tcp_keepalive
from vote.errors import ConfigError, DatabaseUnavailable

MIGRATIONS = Path(__file__).parent / "migrations"
LOCK = 0x766F7465  # "vote": two migrations of one database wait for each other
LOCK_TIMEOUT = "3s"  # how long pages wait at most behind a migration that waits for their table
STATEMENT_TIMEOUT = "2s"  # both together stay below the 5 s of vote/db/pool.py, so that a page is late but succeeds
UNTIMED_UP_TO = "0012"  # older ones were released without a limit and rewrite tables: the web is stopped for them
RETRY_PAUSES_S = (1, 2, 5, 10, 10, 10, 10, 10)  # nine tries in a minute and a half, longer than any request or batch
CONNECT_TIMEOUT_S = 5  # for each address; the migration itself has no limit
OLDEST_POSTGRESQL = 150000

logger = structlog.get_logger()


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

    Returns the revisions before and after; a second call changes nothing. A schema that the next version has expanded stays
    as it is: this version runs on it, after a rollback too (CONTRIBUTING.md). Raises DatabaseUnavailable when it cannot
    connect, a lock is not free in any of the tries, or a statement takes longer than STATEMENT_TIMEOUT: migrations that
    were finished before stay. Raises ConfigError when the server is older than PostgreSQL 15.
    """
    options = {**tcp_keepalive.for_postgres(url), "connect_timeout": CONNECT_TIMEOUT_S}
    engine = create_engine(_for_alchemy(url), poolclass=NullPool, connect_args=options)
    try:
        with engine.connect() as connection:
            before = _prepare(connection)
            if before is not None and before > newest():
                return before, before
            for revision in _missing(before):
                _apply_with_retries(connection, revision)
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
    connection.commit()
    before = MigrationContext.configure(connection).get_current_revision()
    connection.commit()
    return before


def _missing(before: str | None) -> list[str]:
    """Return the revisions to apply, oldest first. Raises CommandError for a revision that no version has."""
    scripts = ScriptDirectory.from_config(_config())
    return [script.revision for script in scripts.iterate_revisions("head", before or "base")][::-1]


def _apply_with_retries(connection: Connection, revision: str) -> None:
    """Apply one revision. Where a lock is not free, or after a deadlock, pause until the queue is empty and repeat it."""
    for pause_s in RETRY_PAUSES_S:
        try:
            return _apply(connection, revision)
        except (LockNotAvailable, DeadlockDetected) as error:
            connection.rollback()
            logger.warning("migration waits", revision=revision, retry_in_s=pause_s, reason=str(error).splitlines()[0])
            time.sleep(pause_s)
    return _apply(connection, revision)


def _apply(connection: Connection, revision: str) -> None:
    connection.execute(
        text("SELECT set_config('lock_timeout', :lock, false), set_config('statement_timeout', :statement, false)"),
        {"lock": LOCK_TIMEOUT, "statement": "0" if revision <= UNTIMED_UP_TO else STATEMENT_TIMEOUT},
    )
    connection.commit()
    config = _config()
    config.attributes["connection"] = connection
    command.upgrade(config, revision)
    connection.commit()


def _for_alchemy(url: str) -> str:
    """Return the URL with the driver's name, which SQLAlchemy needs and libpq does not know."""
    return "postgresql+psycopg://" + url.split("://", 1)[1]
