"""What is done by a link in a mail: a new password for who forgot it, and the confirmation of an address.

The worker makes the token when it sends the mail, and keeps its hash only (`worker/mailer.py`). Asking for a link gets the
same answer and does the same work whether the address is known or not (OWASP Forgot Password, ASVS 5.0 V6.4).
"""

import hashlib
from typing import NamedTuple

from vote import transport_security
from vote.actions.login_throttle import LoginThrottle
from vote.auth import TOKEN_HOURS, PasswordHasher
from vote.db import account_locks, attempts, devices, left_addresses, mail_links, outbox, users
from vote.db.idempotency_keys import Claim
from vote.db.pool import Database, Tx
from vote.db.users import Account
from vote.domain.folding import email_key, needs_smtputf8
from vote.domain.passwords import weakness
from vote.errors import Conflict, InvalidInput, TooManyGuesses
from vote.input_limits import MAILS_TO_ADDRESS_PER_HOUR

NOT_MAILABLE = (
    "No mail reaches this address from here: before the @ only letters A to Z, digits and signs. Write another."
)
USED_UP = "This link was used, is too old, or a newer one was sent. Ask for another."
TOO_MANY_MAILS = "Several mails to this address are on their way. Look for them, also among spam, or wait an hour."


def hash_of(token: str) -> bytes:
    """How the token of a link is kept."""
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).digest()


def ask_reset(db: Database, throttle: LoginThrottle, *, email: str, once: Claim | None = None) -> None:
    """Have a link for a new password sent to this address, when somebody here has it. Raises TooManyGuesses for any."""
    _count_mail(db, throttle, "reset", email)
    with db.transaction(by="forgotten password", once=once) as tx:
        found = users.find_by_email(tx, email)
        account = found if found is not None and found.disabled_at is None else None
        outbox.put(
            tx,
            "reset",
            user_id=account.id if account else None,
            recipient=account.email if account else None,
            username=account.username if account else None,
        )


def reset_password(
    db: Database,
    hasher: PasswordHasher,
    throttle: LoginThrottle,
    *,
    token: str,
    password: str,
    once: Claim | None = None,
) -> int:
    """Set another password by a link, once; everything logged in is out, and no device is known. The account's id.

    Raises InvalidInput for a link that is used up, and for a password that is too easy to guess.
    """
    with db.read() as tx:  # before the dear part: a made-up link costs nobody anything
        link = mail_links.find(tx, "reset", hash_of(token))
        account = users.find(tx, link.user_id) if link else None
    if account is None:
        raise InvalidInput({"token": USED_UP})
    check_new_password(account, password, field="new_password")
    password_hash = hasher.hash(password)
    with db.transaction(by="forgotten password", once=once) as tx:
        link = mail_links.use(tx, "reset", hash_of(token))
        if link is None:
            raise InvalidInput({"token": USED_UP})
        if link.email == account.email:
            users.confirm_email(tx, account.id)  # only who reads the mail has the link
        set_password(tx, account, password_hash, keep_device=None)
        attempts.forget(tx, throttle.name_subject(account.username))
        account_locks.delete(tx, account.id)
    return account.id


def set_password(
    tx: Tx, account: Account, password_hash: str, *, keep_device: bytes | None, is_first: bool = False
) -> None:
    """Replace a password: what was logged in is out, links are useless, other devices unknown, and the owner is told.

    One that `is_first` was chosen by somebody else than the owner, who is asked for another then.
    """
    users.set_password(tx, account.id, password_hash, is_first=is_first)
    users.revoke(tx, f"user:{account.id}", keep_hours=TOKEN_HOURS)
    devices.forget_others(tx, account.id, but=keep_device)
    mail_links.forget_of(tx, account.id)
    outbox.put(tx, "password", user_id=account.id, recipient=account.email, username=account.username)


def check_new_password(account: Account, password: str, *, field: str) -> None:
    """Raises InvalidInput, naming the field, when the password is too easy to guess for this account."""
    if (why := weakness(password, own=[account.username, account.email])) is not None:
        raise InvalidInput({field: why})


def check_mailable(email: str, smtp_url: str | None) -> None:
    """Raises InvalidInput for an address that only a mail server with SMTPUTF8 takes, unless SMTP_URL says it is one."""
    if needs_smtputf8(email) and not transport_security.takes_smtputf8(smtp_url):
        raise InvalidInput({"email": NOT_MAILABLE})


def ask_confirmation(db: Database, throttle: LoginThrottle, account: Account, *, once: Claim | None = None) -> None:
    """Have the link sent (again) that confirms the address of an account. Raises Conflict, or TooManyGuesses."""
    if account.confirmed_at is not None:
        raise Conflict("Your address is confirmed already.")
    _count_mail(db, throttle, "confirm", account.email)
    with db.transaction(by=account.id, once=once) as tx:
        outbox.put(tx, "confirm", user_id=account.id, recipient=account.email, username=account.username)


def change_email(
    db: Database,
    throttle: LoginThrottle,
    account: Account,
    *,
    email: str,
    confirm_first: bool,
    once: Claim | None = None,
) -> None:
    """Another address: at once, or with `confirm_first` when the link sent to it is followed. The old one is told.

    The password was checked before. Raises NameTaken, and TooManyGuesses.
    """
    _count_mail(db, throttle, "confirm", email)
    with db.transaction(by=account.id, once=once) as tx:
        if confirm_first:
            users.check_email_free(tx, email, but=account.id)
            outbox.put(tx, "confirm", user_id=account.id, recipient=email, username=account.username)
        else:
            _move(tx, account, email, confirmed=False)


class ConfirmedEmail(NamedTuple):
    """Whose address is confirmed now. `ends_logins`: from the next login on each of their votes is looked up."""

    user_id: int
    ends_logins: bool


def confirm_email(db: Database, *, token: str, once: Claim | None = None) -> ConfirmedEmail:
    """Confirm the address a link was sent to, and make it the account's when it is another.

    Where somebody left this address while voting was open, every login of the account ends: those that follow are
    looked up before they vote (`identity/email_confirmation.py`). Raises InvalidInput when the link is used up,
    NameTaken when somebody else has the address by now.
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
            users.revoke(tx, f"user:{account.id}", keep_hours=TOKEN_HOURS)
    return ConfirmedEmail(account.id, ends_logins=was_left)


def _move(tx: Tx, account: Account, email: str, *, confirmed: bool) -> None:
    users.set_email(tx, account.id, email, confirmed=confirmed)
    mail_links.forget_of(tx, account.id)  # those to the old address
    outbox.put(tx, "address", user_id=account.id, recipient=account.email, username=account.username)


def _count_mail(db: Database, throttle: LoginThrottle, kind: str, email: str) -> None:
    subject = throttle.subject(f"mail {kind}", email_key(email))
    with db.transaction(by="mail") as tx:
        if attempts.count_upto(tx, subject, attempts.EVERYWHERE, most=MAILS_TO_ADDRESS_PER_HOUR, hours=1) is None:
            raise TooManyGuesses(attempts.wait_s(tx, subject, [attempts.EVERYWHERE]), TOO_MANY_MAILS)
