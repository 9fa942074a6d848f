"""`vote admin`: people who may administer, for operators who cannot log in (yet)."""

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import click

from vote import config
from vote.actions import account_administration, accounts, logins, mailed_links
from vote.actions.login_throttle import LoginThrottle
from vote.db.pool import Database
from vote.domain.person import Role
from vote.ops import environment
from vote.web import validation
from vote.web.api.account_models import PasswordChange, Registration

BY = "vote admin"

as_json_option = click.option("--json", "as_json", is_flag=True, help="Answer as JSON.")


@click.group()
def admin() -> None:
    """Create admins, give roles, reset passwords, disable accounts and enable them again.

    Works on the database of DATABASE_URL, or on the running `vote up` of VOTE_HOME.
    """


@admin.command()
@click.argument("username")
@click.option("--email", required=True, help="Their e-mail address.")
@as_json_option
def create(username: str, email: str, as_json: bool) -> None:
    """Create an admin. The password is asked for, or read from standard input when that is not a terminal.

    It is a first password: every page asks the admin to choose another.
    """
    password = _password()
    given = {"username": username, "email": email, "password": password, "confirm_password": password}
    checked = validation.check(Registration, given)
    mailed_links.check_mailable(checked.email, config.load(environment.read_with_notes()).smtp_url)
    name = checked.username
    with _database() as db:
        user_id = accounts.create_admin(db, username=name, email=checked.email, password=password, by=BY)
    _answer(as_json, f"{name} is an admin now.", id=user_id, username=name, role="admin")


@admin.command()
@click.argument("username")
@click.option("--role", type=click.Choice(["voter", "organiser", "admin"]), default="admin", show_default=True)
@as_json_option
def promote(username: str, role: Role, as_json: bool) -> None:
    """Give an existing account a role."""
    with _database() as db:
        account_administration.set_role(db, accounts.id_of(db, username=username), role=role, by=BY)
    _answer(as_json, f"{username} is {role} now.", username=username, role=role)


@admin.command()
@click.argument("username")
@as_json_option
def reset(username: str, as_json: bool) -> None:
    """Set a first password for an account and log it out everywhere. It is asked for as in `create`."""
    password = _password()
    validation.check(PasswordChange, {"current_password": "", "new_password": password, "confirm_password": password})
    with _database() as db:
        accounts.reset_password(db, username=username, password=password, by=BY)
    _answer(as_json, f"{username} has the new password and is logged out everywhere.", username=username)


@admin.command()
@click.argument("username")
@as_json_option
def disable(username: str, as_json: bool) -> None:
    """End every login of an account within a second, and take no new one. Votes stay counted."""
    with _database() as db:
        account_administration.disable(db, accounts.id_of(db, username=username), by=BY)
    _answer(as_json, f"{username} is disabled and logged out everywhere.", username=username, disabled=True)


@admin.command()
@click.argument("username")
@as_json_option
def enable(username: str, as_json: bool) -> None:
    """Let an account that was disabled log in again."""
    with _database() as db:
        account_administration.enable(db, accounts.id_of(db, username=username), by=BY)
    _answer(as_json, f"{username} can log in again.", username=username, disabled=False)


@admin.command()
@click.argument("username")
@as_json_option
def unlock(username: str, as_json: bool) -> None:
    """Forget the wrong passwords of an account: it can be tried again from everywhere. Its owner gets a mail."""
    with _database() as db:
        throttle = LoginThrottle(db, config.load(environment.read_with_notes()))
        logins.unlock(db, throttle, accounts.id_of(db, username=username), by=BY)
    _answer(as_json, f"{username} is unlocked.", username=username, locked=False)


@contextmanager
def _database() -> Iterator[Database]:
    db = Database(config.load(environment.read_with_notes()).database("owner"), size=1, name=BY)
    try:
        yield db
    finally:
        db.close()


def _password() -> str:
    if sys.stdin.isatty():
        return str(click.prompt("Password", hide_input=True, confirmation_prompt=True))
    return sys.stdin.readline().rstrip("\n")


def _answer(as_json: bool, sentence: str, **fields: Any) -> None:
    click.echo(json.dumps(fields) if as_json else sentence)
