"""The schema: migrations and schema file agree, the seed's indexes exist, the roles can do what they need and no more."""

import re
import secrets
import subprocess
from collections.abc import Callable
from pathlib import Path

import psycopg
import pytest
from psycopg import sql

from tests.conftest import in_database
from tests.servers import Pair
from tests.stack import wait_until
from vote import input_limits
from vote.config import DatabaseTarget
from vote.db import durability_settings, migrate
from vote.db.pool import Database
from vote.db.users import Account
from vote.domain.competition import Competition
from vote.errors import DatabaseUnavailable

SCHEMA = Path(migrate.__file__).with_name("schema.sql")


def dump(servers: Pair, database: str) -> list[str]:
    """The schema as the server's own pg_dump writes it, without what differs between two dumps of the same thing."""
    command = [str(servers.programs.postgres_bin / "pg_dump"), "--schema-only", "--exclude-table=alembic_version"]
    text = subprocess.run(
        [*command, in_database(servers.owner_url, database)], check=True, capture_output=True, text=True
    ).stdout
    return [line for line in text.splitlines() if line and not line.startswith(("--", "\\"))]


def test_the_schema_file_builds_the_same_database_as_the_migrations(servers: Pair, template: str) -> None:
    name = f"schema_{secrets.token_hex(4)}"
    with psycopg.connect(servers.owner_url, autocommit=True) as owner:
        owner.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
        with psycopg.connect(in_database(servers.owner_url, name), autocommit=True) as fresh:
            fresh.execute(SCHEMA.read_bytes())
        by_file, by_migrations = dump(servers, name), dump(servers, template)
        owner.execute(sql.SQL("DROP DATABASE {}").format(sql.Identifier(name)))

    assert by_file == by_migrations


def test_a_new_database_has_no_account(owner: Database) -> None:
    with owner.read() as tx:
        assert tx.execute("SELECT count(*) FROM users").fetchone() == (0,)


def test_migrating_twice_changes_nothing(database_url: str) -> None:
    assert migrate.upgrade(database_url) == (migrate.newest(), migrate.newest())


def test_a_database_that_is_not_there_is_a_clear_error() -> None:
    with pytest.raises(DatabaseUnavailable, match="cannot be migrated"):
        migrate.upgrade("postgresql://nobody@127.0.0.1:1/vote")


def test_the_seeds_four_indexes_exist_by_name(owner: Database) -> None:
    with owner.read() as tx:
        rows = tx.execute("SELECT indexname, tablename FROM pg_indexes WHERE indexname LIKE 'idx\\_%'").fetchall()

    assert dict(rows) == {
        "idx_votes_competition_id": "votes",
        "idx_votes_user_id": "votes",
        "idx_votes_created_at": "votes",
        "idx_competitions_status": "competitions",
    }


def test_every_foreign_key_has_an_index_to_be_checked_by(owner: Database) -> None:
    """Every column of a foreign key leads an index, or its table is small and written by operators only."""
    with owner.read() as tx:
        rows = tx.execute(
            """
            SELECT con.conrelid::regclass::text, a.attname FROM pg_constraint con
            JOIN pg_attribute a ON a.attrelid = con.conrelid AND a.attnum = con.conkey[1]
            WHERE con.contype = 'f' AND NOT EXISTS (
                SELECT FROM pg_index i WHERE i.indrelid = con.conrelid AND i.indkey[0] = con.conkey[1])
            """
        ).fetchall()

    # Users, competitions and reinstatements are never deleted (test below), so no check ever looks these up.
    assert set(rows) == {
        ("ballots", "competition_id"),
        ("ballots", "user_id"),
        ("log_gaps", "decided_by"),
        ("decisions", "decided_by"),
        ("reinstatements", "asked_by"),
    }


FORBIDDEN = {
    "web": [
        "INSERT INTO votes (competition_id, user_id, choice, created_at) VALUES (1, 1, 'a', now())",
        "UPDATE votes SET choice = 'b'",
        "DELETE FROM votes",
        "UPDATE ballots SET choice = 'b'",
        "DELETE FROM ballots",
        "UPDATE tallies SET votes = 7",
        "INSERT INTO tallies VALUES (1, 1, 'a', 1, 1)",
        "UPDATE log_positions SET position = 0",
        "INSERT INTO audit_log (actor, action, subject, subject_id) VALUES ('a', 'b', 'c', 'd')",
        "UPDATE audit_log SET actor = 'nobody'",
        "DELETE FROM audit_log",
        "DELETE FROM users",
        "DELETE FROM competitions",
        "UPDATE reinstatements SET ballots = 7",
        "DELETE FROM unmatched_ballots",
        "INSERT INTO mail_links VALUES (sha256('x'), 1, 'reset', 'a@example.org', now())",
        "UPDATE mail_links SET user_id = 2",
        "UPDATE outbox SET recipient = 'a@example.org'",
        "DELETE FROM outbox",
        "UPDATE login_locks SET expires_at = now()",
        "UPDATE devices SET user_id = 2",
        "TRUNCATE votes",
        "CREATE TABLE mine (x int)",
        "ALTER TABLE votes DISABLE TRIGGER ALL",
        "DROP TABLE votes",
    ],
    "worker": [
        "SELECT password_hash FROM users",
        "SELECT email FROM users",
        "UPDATE users SET confirmed_at = now()",
        "INSERT INTO outbox (kind, recipient) VALUES ('reset', 'a@example.org')",
        "INSERT INTO devices (user_id, token_hash, device, session) VALUES (1, sha256('x'), 'x', 'x')",
        "INSERT INTO users (username, email, password_hash) VALUES ('a', 'b', 'c')",
        "UPDATE users SET role = 'admin'",
        "UPDATE ballots SET choice = 'b'",
        "DELETE FROM ballots",
        "DELETE FROM votes",
        "UPDATE competitions SET name = 'x'",
        "UPDATE competitions SET receipt_key = 'x'",
        "DELETE FROM audit_log",
        "SELECT * FROM audit_log",
        "INSERT INTO reinstatements (competition_id, asked_by, reason) VALUES (1, 1, 'x')",
        "SELECT begin_incarnation()",
        "CREATE TABLE mine (x int)",
    ],
    "reports": [
        "SELECT password_hash FROM users",
        "SELECT username FROM users",
        "UPDATE competitions SET name = 'x'",
        "DELETE FROM votes",
        "SELECT note_incarnation()",
        "SELECT * FROM audit_log",
        "SELECT * FROM outbox",
        "SELECT * FROM devices",
        "SELECT * FROM mail_links",
    ],
    "backup": ["DELETE FROM ballots", "UPDATE votes SET choice = 'b'", "DROP TABLE votes"],
}


@pytest.mark.parametrize(("part", "statement"), [(part, one) for part, many in FORBIDDEN.items() for one in many])
def test_a_part_may_not_do_what_it_does_not_need(database_url: str, part: str, statement: str) -> None:
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute(sql.SQL("SET ROLE {}").format(sql.Identifier(f"vote_{part}")))
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            connection.execute(statement.encode())


def test_every_change_of_people_and_competitions_is_audited(
    owner: Database, make_user: Callable[..., Account], make_competition: Callable[..., Competition]
) -> None:
    who = make_user(username="mara")
    competition = make_competition()
    with owner.transaction(by=who.id) as tx:
        tx.execute("UPDATE users SET role = 'organiser', password_hash = 'secret' WHERE id = %s", (who.id,))

    with owner.read() as tx:
        rows = tx.execute(
            "SELECT actor, action, subject, subject_id, before, after FROM audit_log ORDER BY id"
        ).fetchall()
    mine = [row for row in rows if row[2:4] == ("users", str(who.id))]
    assert [row[:2] for row in mine] == [("tests", "insert"), (f"user:{who.id}", "update")]
    assert mine[1][4:] == (
        {"role": "voter", "password_hash": "(not kept here)"},
        {"role": "organiser", "password_hash": "(not kept here)"},
    )
    assert not re.search(r"mara|secret|example\.com", str(rows)), "no name, address or hash outlives an erasure here"
    assert {("competitions", str(competition.id)), ("options", f"{competition.id}/a")} <= {row[2:4] for row in rows}


def test_an_unset_actor_is_the_database_role(database_url: str) -> None:
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute("SET ROLE vote_web")
        connection.execute("INSERT INTO users (username, email, password_hash) VALUES ('a', 'b', 'c')")
        connection.execute("RESET ROLE")
        row = connection.execute("SELECT actor FROM audit_log").fetchone()

    assert row == ("vote_web",)


def test_a_transaction_that_sleeps_lets_go_of_its_locks(owner: Database) -> None:
    """R4: a frozen worker must not hold its shard for ever."""
    with owner.transaction(by="tests") as tx:
        row = tx.execute("SHOW idle_in_transaction_session_timeout").fetchone()

    assert row == ("3s",)


def test_a_pool_that_is_exhausted_is_an_error_and_not_a_hang(database_url: str) -> None:
    db = Database(DatabaseTarget(database_url, None), size=1, name="tests")

    with db.read(), pytest.raises(DatabaseUnavailable), db.read():
        pass
    with db.read() as tx:
        assert tx.execute("SELECT 1").fetchone() == (1,), "busy is not down: nobody else is turned away"
    db.close()


def test_a_server_that_may_lose_a_commit_is_named(database_url: str, servers: Pair) -> None:
    with psycopg.connect(database_url, autocommit=True, options="-c statement_timeout=5s") as connection:
        assert durability_settings.check(connection) == ([], [])
        connection.execute("SET synchronous_commit = off")
        assert durability_settings.check(connection).unsafe == ["PostgreSQL runs synchronous_commit off, it needs on"]
    with psycopg.connect(servers.superuser_url, autocommit=True) as superuser:
        superuser.execute("ALTER SYSTEM SET full_page_writes = off")
        superuser.execute("SELECT pg_reload_conf()")
        try:
            wait_until(
                lambda: (
                    durability_settings.check(superuser).unsafe == ["PostgreSQL runs full_page_writes off, it needs on"]
                )
            )
        finally:
            superuser.execute("ALTER SYSTEM RESET full_page_writes")
            superuser.execute("SELECT pg_reload_conf()")
        wait_until(lambda: durability_settings.check(superuser).unsafe == [])


def test_a_commit_waits_for_the_disk_whatever_the_role_says(owner: Database, database_url: str) -> None:
    with owner.transaction(by="tests") as tx:
        assert tx.execute("SHOW synchronous_commit").fetchone() == ("on",)


@pytest.mark.parametrize(
    ("table", "column", "most"),
    [
        ("competitions", "name", input_limits.NAME_MAX_CHARS),
        ("competitions", "description", input_limits.DESCRIPTION_MAX_CHARS),
        ("options", "label", input_limits.LABEL_MAX_CHARS),
    ],
)
def test_a_text_may_be_as_long_as_the_form_says(owner: Database, table: str, column: str, most: int) -> None:
    with owner.read() as tx:
        checks = tx.execute(
            "SELECT pg_get_constraintdef(oid) FROM pg_constraint WHERE conrelid = %s::regclass AND contype = 'c'",
            (table,),
        ).fetchall()

    assert any(re.search(rf"length\({column}\) <= {most}\b", check) for (check,) in checks), checks
