"""`vote migrate` and `vote admin` on a real database, as an operator runs them."""

import contextlib
import json
import subprocess
from collections.abc import Callable

import click
import psycopg
import pytest
import structlog
from click.testing import CliRunner, Result

from tests.log_schema import wrong_lines
from tests.stack import VOTE
from vote.actions import logins
from vote.actions.login_throttle import LoginSource, LoginThrottle
from vote.auth import PasswordHasher
from vote.config import Settings
from vote.db import account_locks, attempts, migrate, users
from vote.db.pool import Database
from vote.db.users import Account
from vote.errors import InvalidInput, NameTaken, NotFound, NotLoggedIn
from vote.input_limits import GUESSES_A_DAY
from vote.ops import cli as command_line
from vote.ops.cli import cli

MakeUser = Callable[..., Account]


def vote(environment: dict[str, str], *arguments: str, password: str | None = None) -> Result:
    typed = None if password is None else password + "\n"
    return CliRunner(env=environment).invoke(cli, arguments, input=typed, catch_exceptions=True)


def test_migrating_again_changes_nothing(environment: dict[str, str]) -> None:
    again = vote(environment, "migrate")
    as_json = vote(environment, "migrate", "--json")

    assert again.output == f"The database is at {migrate.newest()}; nothing to do.\n"
    assert json.loads(as_json.output) == {"before": migrate.newest(), "after": migrate.newest()}


def test_migrating_by_an_older_version_changes_nothing(environment: dict[str, str]) -> None:
    with psycopg.connect(environment["DATABASE_URL"]) as newer:
        newer.execute("UPDATE alembic_version SET version_num = '9999'")

    done = vote(environment, "migrate")

    needed = migrate.newest()
    assert done.exit_code == 0
    assert done.output == f"The database is at 9999, from a newer version; this one needs {needed}. Nothing to do.\n"


def test_log_lines_leave_standard_output_to_the_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    @click.command()
    def speak() -> None:
        structlog.get_logger().info("started")
        structlog.get_logger().warning("migration waits", reason="a lock")
        click.echo("the answer")

    monkeypatch.setattr(command_line.Commands, "get_command", lambda *_: speak)

    said = CliRunner().invoke(cli, ["speak"])

    assert said.stdout == "the answer\n"
    [line] = said.stderr.splitlines()
    assert list(wrong_lines([line])) == []


@pytest.mark.parametrize("part", ["web", "worker"])
def test_no_part_starts_in_production_with_a_careless_setting(environment: dict[str, str], part: str) -> None:
    careless = {"VOTE_ENV": "production", "PUBLIC_URL": "http://vote.example", "FLASK_SECRET_KEY": "q" * 40}
    refused = subprocess.run([*VOTE, part], env=environment | careless, capture_output=True, text=True, check=False)

    assert refused.returncode == 1
    assert "PUBLIC_URL must begin with https://" in refused.stderr
    assert "FLASK_SECRET_KEY" in refused.stderr, "all reasons at once"
    assert "qqqq" not in refused.stderr


def log_in(owner: Database, settings: Settings, username: str, password: str) -> Account:
    """As the web would."""
    throttle = LoginThrottle(owner, settings)
    attempt = throttle.at_login(username, LoginSource("192.0.2.1", None))
    with contextlib.closing(PasswordHasher(1)) as hasher:
        return logins.check_login(owner, hasher, throttle, attempt, username=username, password=password)


def test_an_admin_is_created_and_can_log_in(environment: dict[str, str], owner: Database, settings: Settings) -> None:
    created = vote(
        environment, "admin", "create", "chief", "--email", "chief@example.com", "--json", password="Pass123!"
    )

    answer = json.loads(created.output)
    account = log_in(owner, settings, "chief", "Pass123!")
    assert (account.id, account.person.role, account.first_password) == (answer["id"], "admin", True)
    again = vote(environment, "admin", "create", "CHIEF", "--email", "other@example.com", password="Pass123!")
    assert isinstance(again.exception, NameTaken)


@pytest.mark.parametrize(
    ("name", "email", "password", "field"),
    [
        ("x", "chief@example.com", "Pass123!", "username"),
        ("chief", "nobody", "Pass123!", "email"),
        ("chief", "chief@example.com", "short", "password"),
        ("chief", "chief@example.com", "", "password"),
    ],
)
def test_an_admin_keeps_the_rules_of_everybody(
    environment: dict[str, str], name: str, email: str, password: str, field: str
) -> None:
    refused = vote(environment, "admin", "create", name, "--email", email, password=password)

    assert isinstance(refused.exception, InvalidInput)
    assert list(refused.exception.fields) == [field]


def test_a_role_is_given_and_the_audit_says_by_what(
    environment: dict[str, str], owner: Database, make_user: MakeUser
) -> None:
    account = make_user(username="helper")

    given = vote(environment, "admin", "promote", "helper", "--role", "organiser")

    assert given.output == "helper now has the role organiser.\n"
    with owner.read() as tx:
        found = users.find(tx, account.id)
        actor = tx.execute("SELECT actor FROM audit_log ORDER BY id DESC LIMIT 1").fetchone()
    assert found is not None
    assert found.person.role == "organiser"
    assert actor == ("vote admin",)
    assert isinstance(vote(environment, "admin", "promote", "nobody").exception, NotFound)


def test_a_reset_password_replaces_the_old_one(
    environment: dict[str, str], owner: Database, settings: Settings, make_user: MakeUser
) -> None:
    make_user(username="helper", password="Pass123!")

    refused = vote(environment, "admin", "reset", "helper", password="short")
    done = vote(environment, "admin", "reset", "helper", password="Another-1")

    assert isinstance(refused.exception, InvalidInput)
    assert done.output == "Password reset. helper is logged out everywhere.\n"
    assert log_in(owner, settings, "helper", "Another-1").first_password
    with pytest.raises(NotLoggedIn):
        log_in(owner, settings, "helper", "Pass123!")


def test_an_account_is_unlocked(
    environment: dict[str, str], owner: Database, settings: Settings, make_user: MakeUser
) -> None:
    account, throttle = make_user(username="helper"), LoginThrottle(owner, settings)
    with owner.transaction(by="tests") as tx:
        for _ in range(GUESSES_A_DAY):
            attempts.count_up_to(
                tx, throttle.subject("name", "helper"), attempts.EVERYWHERE, most=GUESSES_A_DAY, hours=24
            )
        account_locks.insert(tx, account.id, throttle.subject("name", "helper"), attempts.EVERYWHERE)

    done = vote(environment, "admin", "unlock", "HELPER", "--json")

    assert json.loads(done.output) == {"username": "HELPER", "locked": False}
    assert throttle.acquire(throttle.at_login("helper", LoginSource("192.0.2.1", None))) == 1
    with owner.read() as tx:
        assert account_locks.count(tx) == 0
        row = tx.execute(
            "SELECT actor, action FROM audit_log WHERE subject = 'login_locks' ORDER BY id DESC"
        ).fetchone()
        mail = tx.execute("SELECT kind FROM outbox").fetchall()
    assert (row, mail) == (("vote admin", "delete"), [("unlocked",)])
    assert isinstance(vote(environment, "admin", "unlock", "nobody").exception, NotFound)
