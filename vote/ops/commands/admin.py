"""`vote admin`: manage accounts from the command line, for admins who cannot log in (yet)."""

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

as_json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


@click.group()
def admin() -> None:
    """Create admins, set roles, reset passwords, and disable, enable or unlock accounts.

    Uses the database of DATABASE_URL, or the running `vote up` of VOTE_HOME.
    """


@admin.command()
@click.argument("username")
@click.option("--email", required=True, help="The admin's email address.")
@as_json_option
def create(username: str, email: str, as_json: bool) -> None:
    """Create an admin. Prompts for the password, or reads it from standard input if that is not a terminal.

    The password is temporary: every page asks the admin to choose another.
    """
    password = _password()
    given = {"username": username, "email": email, "password": password, "confirm_password": password}
    checked = validation.check(Registration, given)
    mailed_links.check_mailable(checked.email, config.load(environment.read_with_notes()).smtp_url)
    name = checked.username
    with _database() as db:
        user_id = accounts.create_admin(db, username=name, email=checked.email, password=password, by=BY)
    _answer(as_json, f"Created admin {name}.", id=user_id, username=name, role="admin")


@admin.command()
@click.argument("username")
@click.option("--role", type=click.Choice(["voter", "organiser", "admin"]), default="admin", show_default=True)
@as_json_option
def promote(username: str, role: Role, as_json: bool) -> None:
    """Give an existing account a role."""
    with _database() as db:
        account_administration.set_role(db, accounts.id_of(db, username=username), role=role, by=BY)
    _answer(as_json, f"{username} now has the role {role}.", username=username, role=role)


@admin.command()
@click.argument("username")
@as_json_option
def reset(username: str, as_json: bool) -> None:
    """Set a temporary password for an account and log it out everywhere. Reads the password as `create` does."""
    password = _password()
    validation.check(PasswordChange, {"current_password": "", "new_password": password, "confirm_password": password})
    with _database() as db:
        accounts.reset_password(db, username=username, password=password, by=BY)
    _answer(as_json, f"Password reset. {username} is logged out everywhere.", username=username)


@admin.command()
@click.argument("username")
@as_json_option
def disable(username: str, as_json: bool) -> None:
    """End every login of an account within a second, and refuse new ones. Its votes still count."""
    with _database() as db:
        account_administration.disable(db, accounts.id_of(db, username=username), by=BY)
    _answer(as_json, f"{username} is disabled and logged out everywhere.", username=username, disabled=True)


@admin.command()
@click.argument("username")
@as_json_option
def enable(username: str, as_json: bool) -> None:
    """Let a disabled account log in again."""
    with _database() as db:
        account_administration.enable(db, accounts.id_of(db, username=username), by=BY)
    _answer(as_json, f"{username} can log in again.", username=username, disabled=False)


@admin.command()
@click.argument("username")
@as_json_option
def unlock(username: str, as_json: bool) -> None:
    """Clear an account's failed logins, so that it can log in from everywhere again. Its owner gets an email."""
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
