"""Accounts: registering, checking a login, roles, passwords, revoking, erasing."""

from vote.auth import TOKEN_HOURS, PasswordHasher, hash_password, needs_rehash
from vote.ballotlog.log import BallotLog
from vote.db import users
from vote.db.pool import Database, Tx
from vote.db.users import Account
from vote.errors import InvalidInput, NotFound, NotLoggedIn

ADMIN_EMAIL = "admin@localhost.invalid"  # RFC 2606: surely nobody's


def register(db: Database, hasher: PasswordHasher, *, username: str, email: str, password: str) -> Account:
    """A new voter. Raises NameTaken with the field. The fields were checked before (`web/models.py`)."""
    password_hash = hasher.hash(password)
    with db.transaction(by="register") as tx:
        user_id = users.insert(tx, username=username, email=email, password_hash=password_hash, role="voter")
        account = users.find(tx, user_id)
    assert account is not None
    return account


def check_login(db: Database, hasher: PasswordHasher, *, username: str, password: str) -> Account:
    """The account, when name and password are right. Raises NotLoggedIn, the same and as slowly for every cause."""
    with db.read() as tx:
        account = users.find_by_username(tx, username)
    right = hasher.verify(password, account.password_hash if account else None)
    if account is None or not right or account.disabled_at is not None:
        raise NotLoggedIn("User name or password is wrong.")
    rehashed = hasher.hash(password) if needs_rehash(account.password_hash) else None
    with db.transaction(by=account.id) as tx:
        users.note_login(tx, account.id)
        if rehashed is not None:
            users.set_password_hash(tx, account.id, rehashed)
    return account


def change_password(db: Database, hasher: PasswordHasher, *, by: int, current: str, new: str) -> None:
    """Replace one's own password and end every session. Raises InvalidInput when `current` is wrong."""
    check_password(db, hasher, by=by, password=current, field="current_password")
    password_hash = hasher.hash(new)
    with db.transaction(by=by) as tx:
        users.set_password_hash(tx, by, password_hash)
        users.revoke(tx, f"user:{by}", keep_hours=TOKEN_HOURS)


def check_password(db: Database, hasher: PasswordHasher, *, by: int, password: str, field: str) -> None:
    """Raises InvalidInput, naming the field, unless this is one's own password."""
    with db.read() as tx:
        account = users.find(tx, by)
    if not hasher.verify(password, account.password_hash if account else None):
        raise InvalidInput({field: "This is not your password."})


def revoke(db: Database, *, by: int, subject: str) -> None:
    """Make one's own token (`jti:…`), session (`sid:…`) or everything (`user:…`) dead everywhere within a second."""
    with db.transaction(by=by) as tx:
        users.revoke(tx, subject, keep_hours=TOKEN_HOURS)


def erase(db: Database, log: BallotLog, *, by: int) -> bool:
    """Blank one's own account and end all its sessions. The votes stay and carry only a number (R10).

    True when the erasure is on disk in the log too, so that a restore erases again; else the worker's schedule sees to it.
    """
    with db.transaction(by=by) as tx:
        users.erase(tx, by)
        users.ask_erasure(tx, by)
        users.revoke(tx, f"user:{by}", keep_hours=TOKEN_HOURS)
    return log.append_erasure(by)


def erase_unused(db: Database, log: BallotLog, *, keep_days: int, most: int, by: str) -> list[int]:
    """Erase voters who have neither logged in nor voted for so long, at most so many. Returns their numbers (R10)."""
    with db.transaction(by=by) as tx:
        erased = users.erase_unused(tx, keep_days=keep_days, most=most)
    for person in erased:
        log.append_erasure(person)  # what gets lost is asked for again by the worker's schedule
    return erased


def ensure_admin(db: Database, *, username: str, password: str, by: str) -> bool:
    """Create the first admin when there is none. True when it was created now."""
    with db.read() as tx:
        if users.any_admin(tx):
            return False
    create_admin(db, username=username, email=ADMIN_EMAIL, password=password, by=by)
    return True


def create_admin(db: Database, *, username: str, email: str, password: str, by: str) -> int:
    """A new admin's id. Raises NameTaken."""
    password_hash = hash_password(password)
    with db.transaction(by=by) as tx:
        return users.insert(tx, username=username, email=email, password_hash=password_hash, role="admin")


def id_of(db: Database, *, username: str) -> int:
    """The number of the account with this name. Raises NotFound."""
    with db.read() as tx:
        return _named(tx, username).id


def reset_password(db: Database, *, username: str, password: str, by: str) -> None:
    """Set a password without knowing the old one; everything logged in is out. Raises NotFound."""
    password_hash = hash_password(password)
    with db.transaction(by=by) as tx:
        account = _named(tx, username)
        users.set_password_hash(tx, account.id, password_hash)
        users.revoke(tx, f"user:{account.id}", keep_hours=TOKEN_HOURS)


def _named(tx: Tx, username: str) -> Account:
    account = users.find_by_username(tx, username)
    if account is None:
        raise NotFound(f"There is no user named {username}.")
    return account
