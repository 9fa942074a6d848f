"""Links in mails: set a new password after one was forgotten, and confirm an address.

The worker creates the token when it sends the mail, and stores only its hash (`worker/mailer.py`). A request for a link
gets the same answer and does the same work whether or not the address is known (OWASP Forgot Password, ASVS 5.0 V6.4).
"""

import hashlib
from typing import NamedTuple

import structlog

from vote import transport_security
from vote.actions.login_throttle import LoginThrottle
from vote.auth import PasswordHasher
from vote.db import account_locks, attempts, devices, left_addresses, mail_links, outbox, users
from vote.db.idempotency_keys import Claim
from vote.db.pool import Database, Tx
from vote.db.users import Account
from vote.domain.folding import email_key, needs_smtputf8
from vote.domain.password_strength import weakness
from vote.errors import Conflict, InvalidInput, TooManyGuesses
from vote.input_limits import MAILS_TO_ADDRESS_PER_HOUR

NOT_MAILABLE = "We can't send email to this address. Before the @, use only letters A to Z, digits and symbols."
USED_UP = "This link has expired, was already used, or was replaced by a newer one. Request a new one."
TOO_MANY_MAILS = "We have already sent several emails to this address. Check your spam folder, or wait an hour."

logger = structlog.get_logger()


def hash_of(token: str) -> bytes:
    """Return the SHA-256 under which a link's token is stored."""
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).digest()


def ask_reset(db: Database, throttle: LoginThrottle, *, email: str, once: Claim | None = None) -> None:
    """Send a reset link to this address if an account has it. Raises TooManyGuesses for any address."""
    _count_mail(db, throttle, "reset", email)
    with db.transaction(by="forgotten password", once=once) as tx:
        account = users.find_by_email(tx, email)
        if account is not None and account.disabled_at is not None:
            account = None
        outbox.put(tx, "reset", account)


def reset_password(
    db: Database,
    hasher: PasswordHasher,
    throttle: LoginThrottle,
    *,
    token: str,
    password: str,
    once: Claim | None = None,
) -> int:
    """Set a new password by a link, once. Ends every login and forgets every device. Returns the account's id."""
    with db.read() as tx:  # before the costly hash: a made-up link costs nobody anything
        link = mail_links.find(tx, "reset", hash_of(token))
        account = users.find(tx, link.user_id) if link else None
    if account is None:
        raise InvalidInput({"token": USED_UP})
    check_new_password(account, password)
    password_hash = hasher.hash(password)
    with db.transaction(by="forgotten password", once=once) as tx:
        link = mail_links.use(tx, "reset", hash_of(token))
        if link is None:
            raise InvalidInput({"token": USED_UP})
        if link.email == account.email:
            users.confirm_email(tx, account.id)  # only someone who reads that mailbox has the link
        set_password(tx, account, password_hash, keep_device=None)
        attempts.forget(tx, throttle.name_subject(account.username))
        account_locks.delete(tx, account.id)
    return account.id


def set_password(
    tx: Tx, account: Account, password_hash: str, *, keep_device: bytes | None, is_first: bool = False
) -> None:
    """Replace a password: end every login, void links, forget other devices and notify the owner.

    With `is_first` someone else than the owner chose it, and pages ask the owner for another.
    """
    users.set_password(tx, account.id, password_hash, is_first=is_first)
    users.revoke(tx, f"user:{account.id}")
    devices.forget_others(tx, account.id, but=keep_device)
    mail_links.forget_of(tx, account.id)
    outbox.put(tx, "password", account)


def check_new_password(account: Account, password: str) -> None:
    """Raise InvalidInput, naming the field, when the password is too easy to guess for this account."""
    if (why := weakness(password, own=[account.username, account.email])) is not None:
        raise InvalidInput({"new_password": why})


def check_mailable(email: str, smtp_url: str | None) -> None:
    """Raise InvalidInput for an address that needs SMTPUTF8, unless SMTP_URL says that the mail server has it."""
    if needs_smtputf8(email) and not transport_security.takes_smtputf8(smtp_url):
        raise InvalidInput({"email": NOT_MAILABLE})


def ask_confirmation(db: Database, throttle: LoginThrottle, account: Account, *, once: Claim | None = None) -> None:
    """Send the account's confirmation link (again). Raises Conflict when it is confirmed; TooManyGuesses."""
    if account.confirmed_at is not None:
        raise Conflict("Your email address is already confirmed.")
    _count_mail(db, throttle, "confirm", account.email)
    with db.transaction(by=account.id, once=once) as tx:
        outbox.put(tx, "confirm", account)


def change_email(
    db: Database,
    throttle: LoginThrottle,
    account: Account,
    *,
    email: str,
    confirm_first: bool,
    once: Claim | None = None,
) -> None:
    """Change the address: at once, or, with `confirm_first`, when the link sent to it is followed. Notifies the old address.

    Expects a verified password. Raises NameTaken and TooManyGuesses.
    """
    _count_mail(db, throttle, "confirm", email)
    with db.transaction(by=account.id, once=once) as tx:
        if confirm_first:
            users.check_email_free(tx, email, but=account.id)
            outbox.put(tx, "confirm", account, recipient=email)
        else:
            _move(tx, account, email, confirmed=False)
    logger.info("address to be confirmed" if confirm_first else "address changed", user_id=account.id)


class ConfirmedEmail(NamedTuple):
    """The account whose address is confirmed now. `ends_logins`: after its next login, its votes are looked up first."""

    user_id: int
    ends_logins: bool


def confirm_email(db: Database, *, token: str, once: Claim | None = None) -> ConfirmedEmail:
    """Confirm the address a link was sent to, and make it the account's when it is another.

    Where someone left this address while voting was open, every login of the account ends: those that follow are
    looked up before they vote (`identity/email_confirmation.py`). Raises InvalidInput when the link is used up,
    NameTaken when another account has the address by now.
    """
    with db.transaction(by="confirmation", once=once) as tx:
        link = mail_links.use(tx, "confirm", hash_of(token))
        account = users.find(tx, link.user_id) if link else None
        if link is None or account is None:
            raise InvalidInput({"token": USED_UP})
        if link.email != account.email:
            _move(tx, account, link.email, confirmed=True)
        users.confirm_email(tx, account.id)
        was_left = left_addresses.is_of(tx, account.id)
        if was_left:
            users.revoke(tx, f"user:{account.id}")
    return ConfirmedEmail(account.id, ends_logins=was_left)


def _move(tx: Tx, account: Account, email: str, *, confirmed: bool) -> None:
    users.set_email(tx, account.id, email, confirmed=confirmed)
    mail_links.forget_of(tx, account.id)  # those to the old address
    outbox.put(tx, "address", account)


def _count_mail(db: Database, throttle: LoginThrottle, kind: str, email: str) -> None:
    subject = throttle.subject(f"mail {kind}", email_key(email))
    with db.transaction(by="mail") as tx:
        if attempts.count_up_to(tx, subject, attempts.EVERYWHERE, most=MAILS_TO_ADDRESS_PER_HOUR, hours=1) is None:
            raise TooManyGuesses(attempts.wait_s(tx, subject, [attempts.EVERYWHERE])[0], TOO_MANY_MAILS)
