"""Sets up WAL streaming on a PostgreSQL server: its identity, the slot that keeps WAL, synchronous commits."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

from psycopg import Connection, OperationalError, sql
from psycopg.conninfo import make_conninfo
from psycopg.errors import InsufficientPrivilege

from vote import tcp_keepalive
from vote.config import DatabaseTarget
from vote.db.pool import Tx
from vote.errors import ConfigError, DatabaseUnavailable

SLOT = "vote_wal"
STREAM = "vote_wal"  # the application name of the stream, which synchronous commits name
KEEP_WAL = "4GB"  # a stream that is away longer costs its slot, never the disk of the database
CONNECT_TIMEOUT_S = 5


class Server(NamedTuple):
    """Identity and size of a server."""

    system: str
    timeline: int
    version: str
    major: int
    segment_bytes: int
    bytes: int


class StreamProgress(NamedTuple):
    """The positions that the server has written and that the stream has on disk (None: nobody streams)."""

    written: str
    timeline: int
    streamed: str | None


@contextmanager
def connected(
    target: DatabaseTarget, *, name: str, database: str | None = None, timeout_s: float | None = None
) -> Iterator[Tx]:
    """Yield a dedicated connection in autocommit, not for people's requests."""
    try:
        with Tx.connect(
            make_conninfo(target.url, dbname=database) if database else target.url,
            autocommit=True,
            application_name=name,
            connect_timeout=CONNECT_TIMEOUT_S,
            **tcp_keepalive.for_postgres(target.url),
        ) as connection:
            connection.timeout_s = timeout_s
            if target.set_role:
                connection.execute(sql.SQL("SET ROLE {}").format(sql.Identifier(target.set_role)))
            yield connection
    except InsufficientPrivilege as error:
        raise ConfigError(
            f"The role for backups may not do this: {error.diag.message_primary}."
            " docs/disaster-recovery.md has the grants it needs."
        ) from error
    except OperationalError as error:
        raise DatabaseUnavailable(f"The database is not answering: {error}".strip()) from error


def server(tx: Tx) -> Server:
    """Return the server at the other end."""
    row = tx.execute(
        """
        SELECT s.system_identifier::text, c.timeline_id, current_setting('server_version'),
               current_setting('server_version_num')::int / 10000,
               (SELECT setting::bigint FROM pg_settings WHERE name = 'wal_segment_size'),
               (SELECT sum(pg_database_size(oid))::bigint FROM pg_database WHERE datallowconn
                AND has_database_privilege(oid, 'CONNECT'))
        FROM pg_control_system() s, pg_control_checkpoint() c
        """
    ).fetchone()
    assert row is not None
    return Server(*row)


def has_tablespaces(tx: Tx) -> bool:
    """Return whether data lies outside the data folder."""
    return bool(tx.fetch_value("SELECT count(*) > 2 FROM pg_tablespace"))


def ensure_slot(tx: Tx) -> bool:
    """Ensure that the slot exists and holds WAL. Returns True when it was made now: WAL from before is not held."""
    row = tx.execute("SELECT wal_status FROM pg_replication_slots WHERE slot_name = %s", (SLOT,)).fetchone()
    if row is not None and row[0] != "lost":
        return False
    if row is not None:
        tx.execute("SELECT pg_drop_replication_slot(%s)", (SLOT,))
    tx.execute("SELECT pg_create_physical_replication_slot(%s, true)", (SLOT,))
    return True


def progress(tx: Tx) -> StreamProgress:
    """Return the positions of server and stream."""
    row = tx.execute(
        """
        SELECT pg_current_wal_flush_lsn()::text, (SELECT timeline_id FROM pg_control_checkpoint()),
               (SELECT flush_lsn::text FROM pg_stat_replication
                WHERE application_name = %s AND state = 'streaming' ORDER BY flush_lsn DESC NULLS LAST LIMIT 1)
        """,
        (STREAM,),
    ).fetchone()
    assert row is not None
    return StreamProgress(*row)


def wait_for_stream(tx: Tx, wait: bool) -> None:
    """Make commits wait until the stream has them on disk, or stop that. Repeating it changes nothing."""
    name = STREAM if wait else ""
    if tx.fetch_value("SELECT current_setting('synchronous_standby_names')") == name:
        return
    tx.execute(sql.SQL("ALTER SYSTEM SET synchronous_standby_names = {}").format(sql.Literal(name)))
    tx.execute("SELECT pg_reload_conf()")


def allow(superuser: Connection) -> None:
    """Grant the backup role what only a superuser can: streaming, its own setting, the data of the control file."""
    superuser.execute("SET synchronous_commit = local")
    superuser.execute("ALTER ROLE vote_backup REPLICATION")
    superuser.execute("GRANT ALTER SYSTEM, SET ON PARAMETER synchronous_standby_names TO vote_backup")
    superuser.execute("GRANT EXECUTE ON FUNCTION pg_reload_conf() TO vote_backup")
    superuser.execute("GRANT pg_monitor TO vote_backup")


def allow_freeze(owner: Connection) -> None:
    """Let the backup role lock the rows of the shards (a lock needs UPDATE on some column). Call it as the owner."""
    owner.execute("GRANT UPDATE (moved_at) ON log_positions TO vote_backup")


def prepare_server(superuser: Connection) -> None:
    """Configure a starting server: no commit waits before a stream exists, and no slot fills the disk."""
    superuser.execute(sql.SQL("ALTER SYSTEM SET max_slot_wal_keep_size = {}").format(sql.Literal(KEEP_WAL)))
    superuser.execute("ALTER SYSTEM RESET synchronous_standby_names")
    superuser.execute("SELECT pg_reload_conf()")
