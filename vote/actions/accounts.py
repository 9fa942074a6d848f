"""Register accounts, change passwords, revoke logins, erase people. Logins are in `logins.py`, links in mails in
`mailed_links.py`.
"""

import structlog

from vote.actions import mailed_links
from vote.auth import PasswordHasher, hash_password
from vote.ballotlog.log import BallotLog
from vote.db import devices, outbox, users
from vote.db.idempotency_keys import Claim
from vote.db.pool import Database, Tx
from vote.db.users import Account
from vote.errors import NotFound

ADMIN_EMAIL = "admin@localhost.invalid"  # RFC 2606 reserves `invalid`: it cannot belong to anyone

logger = structlog.get_logger()


def register(
    db: Database,
    hasher: PasswordHasher,
    *,
    username: str,
    email: str,
    password: str,
    confirm: bool,
    once: Claim | None = None,
) -> Account:
    """Create a voter; with `confirm`, send a mail that asks them to confirm the address. Raises NameTaken, naming the field.

    Expects fields that were validated (`web/api/account_models.py`).
    """
    password_hash = hasher.hash(password)
    with db.transaction(by="register", once=once) as tx:
        user_id = users.insert(tx, username=username, email=email, password_hash=password_hash, role="voter")
        account = users.find(tx, user_id)
        if confirm:
            outbox.put(tx, "confirm", account)
        if once is not None:
            once.object_id = user_id
    assert account is not None
    return account


def change_password(
    db: Database,
    hasher: PasswordHasher,
    *,
    by: Account,
    new: str,
    keep_device: bytes | None = None,
    once: Claim | None = None,
) -> None:
    """Replace one's own password and end every session. Expects the current one to have been verified (`logins.py`).

    Forgets every device but `keep_device`. Raises InvalidInput when the new password is too easy to guess.
    """
    mailed_links.check_new_password(by, new)
    password_hash = hasher.hash(new)
    with db.transaction(by=by.id, once=once) as tx:
        mailed_links.set_password(tx, by, password_hash, keep_device=keep_device)
    logger.info("password changed", user_id=by.id)


def log_out_everywhere(db: Database, *, by: int, keep_device: bytes | None = None, once: Claim | None = None) -> None:
    """End all one's own sessions and tokens within a second, and forget every device but `keep_device`."""
    with db.transaction(by=by, once=once) as tx:
        users.revoke(tx, f"user:{by}")
        devices.forget_others(tx, by, but=keep_device)
    logger.info("logged out everywhere", user_id=by)


def revoke(db: Database, *, by: int, subject: str, once: Claim | None = None) -> None:
    """Revoke one's own token (`jti:…`), session (`sid:…`) or every login (`user:…`), everywhere within a second."""
    with db.transaction(by=by, once=once) as tx:
        users.revoke(tx, subject)


def erase(db: Database, log: BallotLog, *, by: int, once: Claim | None = None) -> bool:
    """Blank one's own account and end all its sessions. The votes stay and carry only a number (R10).

    Returns True when the erasure is on disk in the log too, so that a restore erases again; otherwise the worker's schedule
    appends it later.
    """
    with db.transaction(by=by, once=once) as tx:
        users.erase(tx, by)
        users.ask_erasure(tx, by)
        users.revoke(tx, f"user:{by}")
    logger.info("account erased", user_id=by)
    return log.append_erasure(by)


def erase_unused(db: Database, log: BallotLog, *, keep_days: int, most: int, by: str) -> list[int]:
    """Erase up to `most` voters who have neither logged in nor voted for `keep_days`. Returns their ids (R10)."""
    with db.transaction(by=by) as tx:
        erased = users.erase_unused(tx, keep_days=keep_days, most=most)
    for person in erased:
        log.append_erasure(person)  # what gets lost, the worker's schedule appends again
    return erased


def ensure_admin(db: Database, *, username: str, password: str, by: str) -> bool:
    """Create the first admin. Returns False, and changes nothing, if there is one."""
    with db.read() as tx:
        if users.any_admin(tx):
            return False
    create_admin(db, username=username, email=ADMIN_EMAIL, password=password, by=by)
    return True


def create_admin(db: Database, *, username: str, email: str, password: str, by: str) -> int:
    """Create an admin with a temporary password, which its owner did not choose. Returns the id. Raises NameTaken."""
    password_hash = hash_password(password)
    with db.transaction(by=by) as tx:
        user_id = users.insert(
            tx, username=username, email=email, password_hash=password_hash, role="admin", first_password=True
        )
        users.confirm_email(tx, user_id)  # the person who runs the command vouches for it
    logger.info("account created", actor=by, account=user_id, role="admin")
    return user_id


def has_first_password(db: Database, *, username: str) -> bool:
    """Return whether an account with this name exists and still has its temporary password."""
    with db.read() as tx:
        account = users.find_by_username(tx, username)
    return account is not None and account.first_password


def id_of(db: Database, *, username: str) -> int:
    """Return the id of the account with this name. Raises NotFound."""
    with db.read() as tx:
        return _get_by_username(tx, username).id


def reset_password(db: Database, *, username: str, password: str, by: str) -> None:
    """Set a temporary password without knowing the old one, and end every login. Raises NotFound."""
    password_hash = hash_password(password)
    with db.transaction(by=by) as tx:
        account = _get_by_username(tx, username)
        mailed_links.set_password(tx, account, password_hash, keep_device=None, is_first=True)
    logger.info("temporary password set", actor=by, account=account.id)


def _get_by_username(tx: Tx, username: str) -> Account:
    account = users.find_by_username(tx, username)
    if account is None:
        raise NotFound(f"There is no account named {username}.")
    return account
