"""Verifies passwords: at login, and again before sensitive changes. `login_throttle.py` limits the attempts."""

import structlog

from vote.actions.login_throttle import ACTOR, LoginAttempt, LoginThrottle
from vote.auth import PasswordHasher, PasswordMatch, needs_rehash
from vote.db import account_locks, attempts, devices, outbox, users
from vote.db.idempotency_keys import Claim
from vote.db.pool import Database
from vote.db.users import Account
from vote.domain.person import actor_of
from vote.errors import NO_SUCH_ACCOUNT, InvalidInput, NotFound, NotLoggedIn, TooManyGuesses, Unavailable
from vote.input_limits import GUESSES_A_DAY
from vote.metrics.logins import LOGINS

logger = structlog.get_logger()


def check_login(
    db: Database,
    hasher: PasswordHasher,
    throttle: LoginThrottle,
    attempt: LoginAttempt,
    *,
    username: str,
    password: str,
    once: Claim | None = None,
) -> Account:
    """Return the account when name and password are right. `attempt` comes from `LoginThrottle.at_login`.

    Raises NotLoggedIn, with the same words and as slowly for every cause; raises TooManyGuesses, for unknown names too,
    without verifying the password.
    """
    number = _acquire(throttle, attempt)
    account, match = _verified(db, hasher, throttle, attempt, username=username, password=password)
    if account is None:
        LOGINS.labels("disabled" if match else "wrong").inc()
        if number == GUESSES_A_DAY:
            _lock(db, attempt, username)
        raise NotLoggedIn("Wrong username or password.")
    throttle.reset(attempt)
    is_old = match is PasswordMatch.AS_TYPED or needs_rehash(account.password_hash)
    rehashed = hasher.hash(password) if is_old else None
    if once is not None:
        once.object_id = account.id
    with db.transaction(by=account.id, once=once) as tx:
        users.note_login(tx, account.id)
        if rehashed is not None:
            users.set_password_hash(tx, account.id, rehashed)
    LOGINS.labels("ok").inc()
    return account


def check_password(
    db: Database, hasher: PasswordHasher, throttle: LoginThrottle, *, by: Account, password: str, field: str
) -> None:
    """Raise InvalidInput, naming the field, unless this is one's own password; TooManyGuesses as at login."""
    attempt = throttle.at_own_password(by.username)
    throttle.acquire(attempt)
    if _verified(db, hasher, throttle, attempt, username=by.username, password=password)[0] is None:
        logger.info("password refused", user_id=by.id)
        raise InvalidInput({field: "This is not your password."})
    throttle.reset(attempt)


def _acquire(throttle: LoginThrottle, attempt: LoginAttempt) -> int:
    try:
        return throttle.acquire(attempt)
    except TooManyGuesses as error:
        LOGINS.labels("locked" if error.is_locked else "delayed").inc()
        raise


def _verified(
    db: Database,
    hasher: PasswordHasher,
    throttle: LoginThrottle,
    attempt: LoginAttempt,
    *,
    username: str,
    password: str,
) -> tuple[Account | None, PasswordMatch]:
    try:
        with db.read() as tx:
            account = users.find_by_username(tx, username)
        match = hasher.verify(password, account.password_hash if account else None)
    except Unavailable:
        throttle.refund(attempt)
        raise
    return (account if account is not None and match and account.disabled_at is None else None), match


def _lock(db: Database, attempt: LoginAttempt, username: str) -> None:
    """Lock the account after the last wrong attempt of the day: admins see it, and the owner gets a mail."""
    with db.transaction(by=ACTOR) as tx:
        account = users.find_by_username(tx, username)
        if account is None or not account_locks.insert(tx, account.id, attempt.subject, attempts.EVERYWHERE):
            return
        outbox.put(tx, "locked", account)
    logger.warning("account locked", account=account.id)


def unlock(db: Database, throttle: LoginThrottle, user_id: int, *, by: int | str, once: Claim | None = None) -> None:
    """Reset every count of wrong passwords for an account. A second call changes nothing. Raises NotFound."""
    with db.transaction(by=by, once=once) as tx:
        account = users.find(tx, user_id)
        if account is None:
            raise NotFound(NO_SUCH_ACCOUNT)
        attempts.forget(tx, throttle.name_subject(account.username))
        if account_locks.delete(tx, user_id):
            outbox.put(tx, "unlocked", account)
    logger.info("account unlocked", actor=actor_of(by), account=user_id)


def remember_device(
    db: Database, throttle: LoginThrottle, account: Account, *, token: str, device: str, session: str
) -> None:
    """Note a login on a device: wrong passwords there count for that device alone from now on."""
    token_hash = throttle.device_hash(token, account.username)
    with db.transaction(by=account.id) as tx:
        devices.remember(tx, account.id, token_hash=token_hash, device=device, session=session)


def forget_device(db: Database, device_id: int, *, by: int, once: Claim | None = None) -> str:
    """Remove a device of one's own account and end the login there. Returns the revoked subject. Raises NotFound."""
    with db.transaction(by=by, once=once) as tx:
        session = devices.delete(tx, by, device_id)
        if session is None:
            raise NotFound("You have no such device.")
        users.revoke(tx, f"sid:{session}")
    logger.info("device removed", user_id=by)
    return f"sid:{session}"
