"""Transactional outbox: mail is written in the transaction that causes it, and sent by the worker (`worker/mailer.py`)."""

from typing import Literal, NamedTuple

from vote.db.pool import Tx
from vote.db.users import Account

Kind = Literal["reset", "confirm", "address", "password", "locked", "unlocked"]

LEASE_S = 120  # when a worker took a mail and died, it is sent again after this; longer than sending can take
KEEP_DAYS = 7  # for finished mails, without their content


class Mail(NamedTuple):
    """A mail to send."""

    id: int
    kind: Kind
    user_id: int | None
    recipient: str
    username: str | None
    tries: int


def put(tx: Tx, kind: Kind, account: Account | None, *, recipient: str | None = None) -> None:
    """Have a mail sent once this transaction commits: to the account's address, or to another `recipient`.

    A mail to nobody (None) costs the same work and is not sent.
    """
    user = (None, None, None) if account is None else (account.id, recipient or account.email, account.username)
    tx.execute("INSERT INTO outbox (kind, user_id, recipient, username) VALUES (%s, %s, %s, %s)", (kind, *user))


def take(tx: Tx) -> Mail | None:
    """Take the next due mail that has a recipient, for LEASE_S for this worker alone. Returns None when there is none.

    What an account has to know comes before confirmations: addresses to confirm may be invented, one per registration.
    """
    row = tx.execute(
        """
        UPDATE outbox SET tries = tries + 1, due_at = now() + make_interval(secs => %s)
        WHERE id = (SELECT id FROM outbox WHERE done_at IS NULL AND due_at <= now() AND recipient IS NOT NULL
                    ORDER BY kind = 'confirm', due_at FOR UPDATE SKIP LOCKED LIMIT 1)
        RETURNING id, kind, user_id, recipient, username, tries
        """,
        (LEASE_S,),
    ).fetchone()
    return None if row is None else Mail(*row)


def finish_to_nobody(tx: Tx, outcome: str) -> int:
    """Finish all mails without a recipient at once, so that they delay nobody. Returns how many there were."""
    return tx.execute(
        """
        UPDATE outbox SET done_at = now(), outcome = %s
        WHERE id IN (SELECT id FROM outbox WHERE done_at IS NULL AND recipient IS NULL FOR UPDATE SKIP LOCKED)
        """,
        (outcome,),
    ).rowcount


def finish(tx: Tx, mail_id: int, outcome: str) -> None:
    """Finish a mail that was sent, or never will be: only the outcome is kept."""
    tx.execute(
        "UPDATE outbox SET done_at = now(), outcome = %s, recipient = NULL, username = NULL WHERE id = %s",
        (outcome, mail_id),
    )


def keep_to_read(tx: Tx, mail_id: int, letter: str) -> None:
    """Keep the text for a developer to read, instead of sending it."""
    tx.execute(
        "UPDATE outbox SET done_at = now(), outcome = 'to be read', letter = %s WHERE id = %s", (letter, mail_id)
    )


def again_later(tx: Tx, mail_id: int, *, wait_s: float, outcome: str) -> None:
    """Try a mail again after `wait_s`."""
    tx.execute(
        "UPDATE outbox SET due_at = now() + make_interval(secs => %s), outcome = %s WHERE id = %s",
        (wait_s, outcome, mail_id),
    )


def to_read(tx: Tx, *, limit: int) -> list[NamedTuple]:
    """Return mails that were kept to be read instead of sent, newest first."""
    query = """
        SELECT written_at, recipient, letter FROM outbox WHERE letter IS NOT NULL ORDER BY written_at DESC, id LIMIT %s
    """
    return tx.fetch_rows(query, (limit,))


def forget_done(tx: Tx) -> int:
    """Delete mails finished more than KEEP_DAYS ago. Returns how many."""
    return tx.execute("DELETE FROM outbox WHERE done_at < now() - make_interval(days => %s)", (KEEP_DAYS,)).rowcount
