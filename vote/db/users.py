"""Accounts: roles, passwords, erasure, and revocations."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import LiteralString, NamedTuple

from psycopg.errors import CheckViolation, UniqueViolation
from psycopg.rows import class_row

from vote.auth import TOKEN_HOURS
from vote.db.pool import Tx
from vote.domain.folding import NO_USERNAME, email_key, username_key
from vote.domain.person import Person, Role
from vote.errors import Conflict, NameTaken


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """A row of users that is not erased."""

    id: int
    username: str
    email: str
    password_hash: str
    role: Role
    created_at: datetime
    disabled_at: datetime | None
    confirmed_at: datetime | None
    first_password: bool

    @property
    def person(self) -> Person:
        """Return the account as the rules see it."""
        return Person(self.id, self.username, self.role)


class Revocation(NamedTuple):
    """Something revoked before its time: `jti:…`, `sid:…` or `user:…` (every login begun before `revoked_at`)."""

    id: int
    subject: str
    revoked_at: datetime


DRAWS = 10  # among ten million accounts one draw in 450 million is in use already
EMAIL_TAKEN = "This email address is in use. Choose another, or log in if it is yours."
NAME_TAKEN = "This username is in use. Choose another, or log in if it is yours."
LAST_ADMIN = "This is the only admin who can log in. Make someone else an admin first."
YOU_ARE_LAST_ADMIN = "You are the last admin. Make someone else an admin first."

_ACCOUNT: LiteralString = """
    SELECT id, username, email, password_hash, role, created_at, disabled_at, confirmed_at, first_password FROM users
    WHERE erased_at IS NULL
"""


def insert(tx: Tx, *, username: str, email: str, password_hash: str, role: Role, first_password: bool = False) -> int:
    """Insert an account. Returns its id, drawn at random. Raises NameTaken, with the field, for a name or address in use.

    The unique indexes decide, but no constraint fails: PostgreSQL would write name and address into its log.
    """
    key = email_key(email)
    for _ in range(DRAWS):
        row = tx.execute(
            "INSERT INTO users (username, email, email_key, password_hash, role, first_password)"
            " VALUES (%s, %s, %s, %s, %s, %s) ON CONFLICT DO NOTHING RETURNING id",
            (username, email, key, password_hash, role, first_password),
        ).fetchone()
        if row is not None:
            return int(row[0])
        if find_by_username(tx, username):
            raise NameTaken({"username": NAME_TAKEN})
        if find_by_email(tx, email):
            raise NameTaken({"email": EMAIL_TAKEN})
    raise RuntimeError("every number drawn for a new account was in use: the source of randomness is broken")


def find(tx: Tx, user_id: int) -> Account | None:
    """Return the account with this id."""
    return tx.cursor(row_factory=class_row(Account)).execute(f"{_ACCOUNT} AND id = %s", (user_id,)).fetchone()


def find_many(tx: Tx, ids: Iterable[int]) -> list[Account]:
    """Return those of these accounts that exist."""
    return tx.cursor(row_factory=class_row(Account)).execute(f"{_ACCOUNT} AND id = ANY(%s)", (list(ids),)).fetchall()


def find_by_username(tx: Tx, username: str) -> Account | None:
    """Return the account with this name, however it is written (`username_key`)."""
    key = username_key(username)
    if key == NO_USERNAME:
        return None
    query = f'{_ACCOUNT} AND lower(username COLLATE "C") = %s'
    return tx.cursor(row_factory=class_row(Account)).execute(query, (key,)).fetchone()


def find_by_email(tx: Tx, email: str) -> Account | None:
    """Return the account with this address, however it is written (`email_key`)."""
    query = f"{_ACCOUNT} AND email_key = %s"
    return tx.cursor(row_factory=class_row(Account)).execute(query, (email_key(email),)).fetchone()


def set_email(tx: Tx, user_id: int, email: str, *, confirmed: bool) -> None:
    """Give the account another address. Raises NameTaken."""
    check_email_free(tx, email, but=user_id)
    try:
        tx.execute(
            "UPDATE users SET email = %s, email_key = %s, confirmed_at = CASE WHEN %s THEN now() END WHERE id = %s",
            (email, email_key(email), confirmed, user_id),
        )
    except UniqueViolation as error:  # someone took it since the check
        raise NameTaken({"email": EMAIL_TAKEN}) from error


def check_email_free(tx: Tx, email: str, *, but: int) -> None:
    """Raise NameTaken when another account has this address."""
    owner = find_by_email(tx, email)
    if owner is not None and owner.id != but:
        raise NameTaken({"email": EMAIL_TAKEN})


def confirm_email(tx: Tx, user_id: int) -> None:
    """Note that mail to the account's address reaches its owner. A second call keeps the first time."""
    tx.execute("UPDATE users SET confirmed_at = coalesce(confirmed_at, now()) WHERE id = %s", (user_id,))


def is_confirmed(tx: Tx, user_id: int) -> bool:
    """Return whether mail to the account's address is known to reach its owner."""
    return tx.execute("SELECT FROM users WHERE id = %s AND confirmed_at IS NOT NULL", (user_id,)).fetchone() is not None


def set_role(tx: Tx, user_id: int, role: Role) -> None:
    """Give the account this role. Raises Conflict when no admin would be left."""
    with _keeping_an_admin(LAST_ADMIN):
        tx.execute("UPDATE users SET role = %s WHERE id = %s", (role, user_id))


def set_disabled(tx: Tx, user_id: int, *, disabled: bool) -> None:
    """Disable or enable the account. Disabled again, it keeps its time. Raises Conflict when no admin would be left."""
    with _keeping_an_admin(LAST_ADMIN):
        tx.execute(
            "UPDATE users SET disabled_at = CASE WHEN %s THEN coalesce(disabled_at, now()) END WHERE id = %s",
            (disabled, user_id),
        )


def set_password_hash(tx: Tx, user_id: int, password_hash: str) -> None:
    """Replace the stored hash by another one of the same password."""
    tx.execute("UPDATE users SET password_hash = %s WHERE id = %s", (password_hash, user_id))


def set_password(tx: Tx, user_id: int, password_hash: str, *, is_first: bool) -> None:
    """Replace the password; `is_first`: it is temporary, someone other than the owner chose it."""
    tx.execute(
        "UPDATE users SET password_hash = %s, first_password = %s WHERE id = %s", (password_hash, is_first, user_id)
    )


def erase(tx: Tx, user_id: int) -> None:
    """Blank the person; the id that the vote carries stays. Raises Conflict for the last admin."""
    # Lock the row first, as every other change does: erase_person begins with what belongs to the account.
    tx.execute("SELECT FROM users WHERE id = %s FOR UPDATE", (user_id,))
    with _keeping_an_admin(YOU_ARE_LAST_ADMIN):
        tx.execute("SELECT erase_person(%s)", (user_id,))


def replay_erasure(tx: Tx, user_id: int) -> None:
    """Blank a person because the log says so (R10), even one who is the last admin in an older backup."""
    tx.execute("SELECT set_config('vote.replaying', 'on', true)")
    tx.execute("SELECT erase_person(%s)", (user_id,))
    tx.execute("SELECT set_config('vote.replaying', 'off', true)")


def ask_erasure(tx: Tx, user_id: int) -> None:
    """Note that the person is to be erased, also in every replay (R10)."""
    tx.execute(
        "INSERT INTO erasures (user_id) VALUES (%s) ON CONFLICT (user_id) DO UPDATE SET asked_at = now()", (user_id,)
    )


def mark_erased(tx: Tx, user_id: int) -> None:
    """Note that the erasure's log entry is recorded. Skips a person not known here (an older backup)."""
    tx.execute(
        """
        INSERT INTO erasures AS e (user_id, recorded_at) SELECT id, now() FROM users WHERE id = %s
        ON CONFLICT (user_id) DO UPDATE SET recorded_at = coalesce(e.recorded_at, now())
        """,
        (user_id,),
    )


def note_login(tx: Tx, user_id: int) -> None:
    """Note that the account logged in today; writes nothing the second time."""
    tx.execute(
        """
        INSERT INTO last_logins (user_id) SELECT %(id)s
        WHERE NOT EXISTS (SELECT FROM last_logins WHERE user_id = %(id)s AND day = current_date)
        ON CONFLICT (user_id) DO UPDATE SET day = excluded.day
        """,
        {"id": user_id},
    )


def erase_unused(tx: Tx, *, keep_days: int, most: int) -> list[int]:
    """Blank up to `most` voters without login or vote for `keep_days`, and ask for their erasure (R10). Audited."""
    rows = tx.execute("SELECT erase_unused(%s::int, %s::int)", (keep_days, most)).fetchall()
    return [row[0] for row in rows]


def erasures_to_repeat(tx: Tx, *, after_s: int) -> list[int]:
    """Return people whose erasure was requested that long ago and is not recorded: its entry was lost or not written."""
    rows = tx.execute(
        "SELECT user_id FROM erasures WHERE recorded_at IS NULL AND asked_at < now() - make_interval(secs => %s)",
        (after_s,),
    )
    return [row[0] for row in rows]


@contextmanager
def _keeping_an_admin(sentence: str) -> Iterator[None]:
    """Raise Conflict where the trigger keep_an_admin refuses. It counts under a lock: no two admins leave at once."""
    try:
        yield
    except CheckViolation as error:
        if error.diag.constraint_name != "users_last_admin":
            raise
        raise Conflict(sentence) from error


def any_admin(tx: Tx) -> bool:
    """Return whether there is an admin."""
    return tx.execute("SELECT 1 FROM users WHERE role = 'admin' LIMIT 1").fetchone() is not None


def revoke(tx: Tx, subject: str, *, keep_hours: int = TOKEN_HOURS) -> None:
    """Revoke a token, a session or every login of an account; the row is kept as long as what it revokes could live.

    It ends what began before this moment, not before the transaction: change first what lets someone in, then revoke.
    """
    tx.execute(
        "INSERT INTO revocations (subject, revoked_at, expires_at)"
        " VALUES (%s, clock_timestamp(), clock_timestamp() + make_interval(hours => %s))",
        (subject, keep_hours),
    )


def is_revoked_since(tx: Tx, subjects: Iterable[str], since: datetime) -> bool:
    """Return whether one of these was revoked after `since`."""
    query = "SELECT FROM revocations WHERE subject = ANY(%s) AND revoked_at > %s LIMIT 1"
    return tx.execute(query, (list(subjects), since)).fetchone() is not None


def revocations_after(tx: Tx, last_id: int) -> list[Revocation]:
    """Return revocations after `last_id`, oldest first."""
    query = "SELECT id, subject, revoked_at FROM revocations WHERE id > %s AND expires_at > now() ORDER BY id"
    return tx.cursor(row_factory=class_row(Revocation)).execute(query, (last_id,)).fetchall()


def forget_expired_revocations(tx: Tx) -> int:
    """Delete revocations without effect. Returns how many."""
    return tx.execute("DELETE FROM revocations WHERE expires_at < now() - interval '1 hour'").rowcount
