"""Who is the same does not hang on the database's LC_CTYPE, and accounts from before the one folding stay reachable."""

import secrets
from collections.abc import Callable, Iterator

import psycopg
import pytest
from alembic import command
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict
from psycopg.errors import UniqueViolation
from sqlalchemy import create_engine
from sqlalchemy.pool import NullPool

from tests.conftest import PASSWORD_HASH, in_database
from tests.servers import Pair
from vote.config import DatabaseTarget
from vote.db import account_search, migrate, users
from vote.db.pool import Database
from vote.errors import DatabaseUnavailable

MakeDatabase = Callable[[str], str]


@pytest.fixture
def make_database(servers: Pair) -> Iterator[MakeDatabase]:
    """Makes empty databases: `make_database("C.UTF-8")` is the owner's URL."""
    made: list[str] = []

    def make(locale: str) -> str:
        name = f"folded_{secrets.token_hex(4)}"
        with psycopg.connect(servers.superuser_url, autocommit=True) as superuser:
            owner = str(conninfo_to_dict(servers.owner_url)["user"])
            superuser.execute(
                sql.SQL(
                    "CREATE DATABASE {} OWNER {} TEMPLATE template0 ENCODING 'UTF8' LC_COLLATE 'C' LC_CTYPE {}"
                ).format(sql.Identifier(name), sql.Identifier(owner), sql.Literal(locale))
            )
        made.append(name)
        return in_database(servers.owner_url, name)

    yield make
    with psycopg.connect(servers.superuser_url, autocommit=True) as superuser:
        for name in made:
            superuser.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


def upgrade_to(url: str, revision: str) -> None:
    engine = create_engine(url.replace("postgresql://", "postgresql+psycopg://", 1), poolclass=NullPool)
    with engine.connect() as connection:
        config = migrate._config()
        config.attributes["connection"] = connection
        command.upgrade(config, revision)
        connection.commit()
    engine.dispose()


@pytest.mark.parametrize("locale", ["C", "C.UTF-8"])
def test_names_are_folded_alike_under_every_lc_ctype(make_database: MakeDatabase, locale: str) -> None:
    url = make_database(locale)
    migrate.upgrade(url)
    db = Database(DatabaseTarget(url, None), size=1, name="vote tests")
    with db.transaction(by="tests") as tx:
        users.insert(tx, username="ADMIN", email="I@bücher.example", password_hash=PASSWORD_HASH, role="admin")
    with db.read() as tx:
        found = users.find_by_username(tx, "admin")
        assert found is not None
        assert users.find_by_username(tx, "adm\u0130n") is None
        assert users.find_by_username(tx, "adm\u0131n") is None
        assert users.find_by_email(tx, "i@BÜCHER.example") == found
        assert [one.id for one in account_search.listed(tx, search="adm", limit=5)] == [found.id]
    with pytest.raises(UniqueViolation), db.transaction(by="tests") as tx:
        tx.execute(
            "INSERT INTO users (username, email, password_hash) VALUES ('admin', 'other@example.org', %s)",
            (PASSWORD_HASH,),
        )
    db.close()


def test_accounts_that_become_one_stay_reachable_and_are_told_of(
    make_database: MakeDatabase, capsys: pytest.CaptureFixture[str]
) -> None:
    url = make_database("C")
    upgrade_to(url, "0006")
    rows = [
        ("ada", "É@example.org"),  # under LC_CTYPE C these two were not the same
        ("ben", "é@example.org"),
        ("cid", "k@bücher.example"),
        ("dan", "Dan@Example.org"),
    ]
    with psycopg.connect(url) as connection:
        connection.execute("DROP INDEX users_username_key")  # as under Turkish rules, where I and i are two letters
        for name, email in [*rows, ("DAN", "dan2@example.org")]:
            connection.execute(
                "INSERT INTO users (username, email, password_hash) VALUES (%s, %s, %s)", (name, email, PASSWORD_HASH)
            )
        connection.execute("UPDATE users SET confirmed_at = now() WHERE username = 'ben'")
        connection.execute("CREATE INDEX users_username_key ON users (lower(username))")
    before = lines_of_audit(url)

    upgrade_to(url, "head")

    db = Database(DatabaseTarget(url, None), size=1, name="vote tests")
    with db.read() as tx:
        names = {name: users.find_by_username(tx, name) for name in ("ada", "ben", "cid", "dan", "dan-5")}
        assert [found and found.id for found in names.values()] == [1, 2, 3, 4, 5], "nobody gets another number"
        assert users.find_by_email(tx, "É@EXAMPLE.org") == names["ben"], "who has confirmed it gets the mail"
        assert users.find_by_email(tx, "k@xn--bcher-kva.example") == names["cid"]
        assert users.find_by_email(tx, "dan@example.org") == names["dan"]
    with db.transaction(by="tests") as tx:  # whoever shares an address can take another
        assert names["ada"] is not None
        users.set_email(tx, names["ada"].id, "ada@example.org", confirmed=False)
    db.close()
    told = capsys.readouterr().out
    assert "renamed" in told
    assert "user_id=5" in told
    assert "address shared" in told
    assert "user_id=1" in told
    assert "example.org" not in told, "numbers only"
    assert lines_of_audit(url) - before == 2, "the renaming and the change of address; the keys are no news"


def lines_of_audit(url: str) -> int:
    with psycopg.connect(url) as connection:
        row = connection.execute("SELECT count(*) FROM audit_log WHERE subject = 'users'").fetchone()
    assert row is not None
    return int(row[0])


def test_web_processes_of_the_version_before_still_write_accounts(database_url: str) -> None:
    with psycopg.connect(database_url) as connection:
        connection.execute(
            "INSERT INTO users (username, email, password_hash) VALUES ('old', 'Old@Example.org', %s)", (PASSWORD_HASH,)
        )
        connection.execute("UPDATE users SET email = 'New@Example.org' WHERE username = 'old'")
        assert connection.execute("SELECT email_key FROM users").fetchall() == [("new@example.org",)]
        connection.execute("UPDATE users SET email_key = 'k@xn--x', email = 'K@ü' WHERE username = 'old'")
        connection.execute("UPDATE users SET email = 'k@ü' WHERE username = 'old'")
        assert connection.execute("SELECT email_key FROM users").fetchall() == [("k@xn--x",)]


def test_a_migration_that_finds_a_table_locked_says_so_and_changes_nothing(
    make_database: MakeDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = make_database("C.UTF-8")
    upgrade_to(url, "0010")
    monkeypatch.setattr(migrate, "LOCK_TIMEOUT", "50ms")
    monkeypatch.setattr(migrate, "RETRY_PAUSES_S", ())

    with psycopg.connect(url) as connection:
        connection.execute("LOCK TABLE users")
        with pytest.raises(DatabaseUnavailable, match=r"cannot be migrated: .*lock timeout"):
            migrate.upgrade(url)

    assert migrate.upgrade(url) == ("0010", migrate.newest())
