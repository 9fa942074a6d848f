"""`vote migrate` while others use the tables: it asks for locks briefly, tries again, and holds nothing for long."""

import shutil
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import psycopg
import pytest

from vote.db import migrate
from vote.db.migrations import plain_sql
from vote.errors import DatabaseUnavailable

Plant = Callable[..., None]
ONLINE = "DROP INDEX CONCURRENTLY IF EXISTS planted;\nCREATE INDEX CONCURRENTLY planted ON votes (choice);\n"


@pytest.fixture
def plant(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Plant:
    """Adds a migration to a copy of all: `plant("LOCK TABLE users")`, `plant(sql, ending="_online")`."""
    folder = tmp_path / "migrations"
    shutil.copytree(migrate.MIGRATIONS, folder, ignore=shutil.ignore_patterns("__pycache__"))
    monkeypatch.setattr(migrate, "MIGRATIONS", folder)
    monkeypatch.setattr(plain_sql, "HERE", folder)

    def add(sql: str, ending: str = "") -> None:
        newest = migrate.newest()
        name = f"{int(newest) + 1:04}_planted{ending}"
        (folder / f"{name}.sql").write_text(sql, encoding="utf-8")
        (folder / "versions" / f"{name}.py").write_text(
            "from vote.db.migrations.plain_sql import sql_file\n"
            f"revision, down_revision = {name[:4]!r}, {newest!r}\nupgrade = sql_file({name + '.sql'!r})\n",
            encoding="utf-8",
        )

    return add


@pytest.fixture
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[Callable[[], object]]:
    """What happens in each pause between two tries, in this order; there are as many tries, and one more."""
    actions: list[Callable[[], object]] = []
    monkeypatch.setattr(migrate, "LOCK_TIMEOUT", "50ms")
    monkeypatch.setattr(plain_sql, "ONLINE_LOCK_TIMEOUT", "50ms")
    monkeypatch.setattr(migrate, "RETRY_PAUSES_S", range(3))
    monkeypatch.setattr(migrate, "time", SimpleNamespace(sleep=lambda number: actions[number]()))
    return actions


def nothing() -> None:
    """A pause in which the lock is not released."""


def value(url: str, query: str) -> object:
    with psycopg.connect(url) as connection:
        row = connection.execute(query.encode()).fetchone()
    assert row is not None
    return row[0]


def test_a_migration_runs_with_a_lock_timeout_and_a_statement_timeout(database_url: str, plant: Plant) -> None:
    settings = "SELECT current_setting('lock_timeout') || ' ' || current_setting('statement_timeout')"
    plant(f"CREATE TABLE seen AS {settings} AS timeouts")

    migrate.upgrade(database_url)

    assert value(database_url, "SELECT timeouts FROM seen") == "3s 2s"


def test_a_migration_that_finds_a_table_locked_tries_again(
    database_url: str, plant: Plant, pauses: list[Callable[[], object]], capsys: pytest.CaptureFixture[str]
) -> None:
    plant("CREATE TABLE made (); ALTER TABLE users ADD COLUMN planted text")
    before = str(value(database_url, "SELECT version_num FROM alembic_version"))

    with psycopg.connect(database_url) as reader:
        reader.execute("SELECT count(*) FROM users")
        pauses += [nothing, reader.rollback]

        assert migrate.upgrade(database_url) == (before, migrate.newest())

    assert value(database_url, "SELECT count(planted) FROM users") == 0
    assert capsys.readouterr().out.count("migration waits") == 2


def test_between_two_tries_nobody_waits_for_the_migration(
    database_url: str, plant: Plant, pauses: list[Callable[[], object]]
) -> None:
    plant("ALTER TABLE users ADD COLUMN planted text")
    found: list[object] = []

    with psycopg.connect(database_url) as reader:
        reader.execute("SELECT count(*) FROM users")
        waiting = "SELECT count(*) FROM pg_locks WHERE NOT granted AND locktype = 'relation'"
        held = "SELECT count(*) FROM pg_locks WHERE mode = 'AccessExclusiveLock' AND locktype = 'relation'"
        pauses += [lambda: found.extend([value(database_url, waiting), value(database_url, held)]), reader.rollback]

        migrate.upgrade(database_url)

    assert found == [0, 0]


def test_a_migration_gives_up_after_the_last_try_and_keeps_those_before_it(
    database_url: str, plant: Plant, pauses: list[Callable[[], object]]
) -> None:
    plant("CREATE TABLE first ()")
    first = migrate.newest()
    plant("CREATE TABLE second (); LOCK TABLE users")
    pauses += [nothing, nothing, nothing]

    with psycopg.connect(database_url) as reader:
        reader.execute("SELECT count(*) FROM users")
        with pytest.raises(DatabaseUnavailable, match=r"cannot be migrated: .*lock timeout"):
            migrate.upgrade(database_url)

    assert value(database_url, "SELECT version_num FROM alembic_version") == first
    assert value(database_url, "SELECT to_regclass('second')") is None
    assert migrate.upgrade(database_url) == (first, migrate.newest())


def test_a_statement_that_takes_long_is_canceled_and_changes_nothing(
    database_url: str, plant: Plant, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(migrate, "STATEMENT_TIMEOUT", "100ms")
    plant("CREATE TABLE made (); SELECT pg_sleep(60)")

    with pytest.raises(DatabaseUnavailable, match=r"cannot be migrated: .*statement timeout"):
        migrate.upgrade(database_url)

    assert value(database_url, "SELECT to_regclass('made')") is None


def test_a_schema_that_a_newer_version_has_expanded_stays_as_it_is(database_url: str) -> None:
    """After a rollback the version before starts on it."""
    with psycopg.connect(database_url) as newer:
        newer.execute("ALTER TABLE users ADD COLUMN planted text")
        newer.execute("UPDATE alembic_version SET version_num = '9999'")

    assert migrate.upgrade(database_url) == ("9999", "9999")

    assert value(database_url, "SELECT count(planted) FROM users") == 0


def test_an_online_index_that_was_left_half_built_is_built_again(
    database_url: str, plant: Plant, pauses: list[Callable[[], object]]
) -> None:
    plant(ONLINE, ending="_online")
    valid = "SELECT indisvalid FROM pg_index WHERE indexrelid = to_regclass('planted')"
    found: list[object] = []

    with psycopg.connect(database_url) as voter:
        voter.execute("LOCK TABLE votes IN ROW EXCLUSIVE MODE")  # as an INSERT that is not committed yet
        pauses += [lambda: found.append(value(database_url, valid)), voter.rollback]

        migrate.upgrade(database_url)

    assert found == [False], "the first try stopped in the middle"
    assert value(database_url, valid) is True


def test_an_online_file_is_read_statement_by_statement() -> None:
    sql = "-- Why; because.\nDROP INDEX CONCURRENTLY a;  -- half built\n\nCREATE INDEX\n    CONCURRENTLY a ON t (c);\n"

    assert plain_sql.online_statements(sql) == [
        "DROP INDEX CONCURRENTLY a",
        "CREATE INDEX\n    CONCURRENTLY a ON t (c)",
    ]
