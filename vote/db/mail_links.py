"""Links in mails: only hashes of their tokens are stored, and using a link deletes it."""

from typing import Literal, NamedTuple

from vote.db.pool import Tx

Purpose = Literal["reset", "confirm"]


class MailLink(NamedTuple):
    """The account a link is for, and the address it was sent to."""

    user_id: int
    email: str


def replace(tx: Tx, *, token_hash: bytes, user_id: int, purpose: Purpose, email: str, minutes: int) -> None:
    """Insert a new link; an older one for the same account and purpose stops working."""
    tx.execute(
        """
        INSERT INTO mail_links (token_hash, user_id, purpose, email, expires_at)
        VALUES (%s, %s, %s, %s, now() + make_interval(mins => %s))
        ON CONFLICT (user_id, purpose) DO UPDATE
        SET token_hash = excluded.token_hash, email = excluded.email, expires_at = excluded.expires_at
        """,
        (token_hash, user_id, purpose, email, minutes),
    )


def find(tx: Tx, purpose: Purpose, token_hash: bytes) -> MailLink | None:
    """Return what a link would do, if it can still be used."""
    row = tx.execute(
        "SELECT user_id, email FROM mail_links WHERE token_hash = %s AND purpose = %s AND expires_at > now()",
        (token_hash, purpose),
    ).fetchone()
    return None if row is None else MailLink(*row)


def use(tx: Tx, purpose: Purpose, token_hash: bytes) -> MailLink | None:
    """Use a link up: of many at the same moment one succeeds. Returns None when it is used, expired, or was never made."""
    row = tx.execute(
        "DELETE FROM mail_links WHERE token_hash = %s AND purpose = %s AND expires_at > now() RETURNING user_id, email",
        (token_hash, purpose),
    ).fetchone()
    return None if row is None else MailLink(*row)


def waiting_address(tx: Tx, user_id: int) -> str | None:
    """Return the address that a person was asked to confirm, if any."""
    row = tx.execute(
        "SELECT email FROM mail_links WHERE user_id = %s AND purpose = 'confirm' AND expires_at > now()", (user_id,)
    ).fetchone()
    return None if row is None else str(row[0])


def forget_of(tx: Tx, user_id: int) -> None:
    """Delete every link of a person."""
    tx.execute("DELETE FROM mail_links WHERE user_id = %s", (user_id,))


def forget_expired(tx: Tx) -> int:
    """Delete expired links. Returns how many."""
    return tx.execute("DELETE FROM mail_links WHERE expires_at <= now()").rowcount
