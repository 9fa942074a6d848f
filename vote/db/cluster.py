"""Sets up a PostgreSQL server of our own and inspects one in recovery: everything before there is a schema."""

import psycopg
from psycopg import sql


def create_owner_and_database(superuser: psycopg.Connection, *, owner: str, database: str) -> None:
    """Create the owner role and the database if they are missing. Repeating it changes nothing. Needs autocommit."""
    if superuser.execute("SELECT FROM pg_roles WHERE rolname = %s", [owner]).fetchone() is None:
        superuser.execute(sql.SQL("CREATE ROLE {} CREATEROLE CREATEDB").format(sql.Identifier(owner)))
    if superuser.execute("SELECT FROM pg_database WHERE datname = %s", [database]).fetchone() is None:
        names = {"database": sql.Identifier(database), "owner": sql.Identifier(owner)}
        superuser.execute(sql.SQL("CREATE DATABASE {database} OWNER {owner}").format(**names))


def let_in(connection: psycopg.Connection, role: str, password: str) -> None:
    """Give an existing role LOGIN and this password. Repeating it changes nothing."""
    verifier = connection.pgconn.encrypt_password(password.encode(), role.encode(), b"scram-sha-256").decode()
    connection.execute(sql.SQL("ALTER ROLE {} LOGIN PASSWORD {}").format(sql.Identifier(role), sql.Literal(verifier)))


def recovery_state(connection: psycopg.Connection) -> tuple[bool, bool]:
    """Return whether the server is in recovery, and whether it has paused there, at its target."""
    row = connection.execute(
        "SELECT pg_is_in_recovery(), pg_is_in_recovery() AND pg_get_wal_replay_pause_state() = 'paused'"
    ).fetchone()
    assert row is not None
    return bool(row[0]), bool(row[1])
