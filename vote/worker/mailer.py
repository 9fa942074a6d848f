"""Sends the mails of the transactional outbox, one at a time, in a separate thread: ballots never wait for a mail
server.

A mail is claimed by a row lock and a lease, sent, and marked as done. If a worker dies in between, the mail is sent
again after the lease (at-least-once delivery). Link tokens are created here, so they exist only in the mail.
"""

import secrets
import smtplib
import threading

import structlog

from vote.actions.mailed_links import hash_of
from vote.config import Settings
from vote.db import mail_links, outbox
from vote.db.outbox import Mail
from vote.db.pool import Database
from vote.domain.folding import needs_smtputf8
from vote.errors import Unavailable
from vote.metrics.worker import MAIL_FAILED
from vote.worker import mail_templates
from vote.worker.mail_templates import CONFIRM_MINUTES, RESET_MINUTES, RenderedMail
from vote.worker.smtp_client import SmtpClient

EVERY_S = 0.5
AFTER_FAILURE_S = 5.0  # doubling with each try of a mail
LONGEST_WAIT_S = 3_600.0
MOST_TRIES = 16  # about half a day
TOKEN_BYTES = 32
ACTOR = "postman"
MINUTES = {"reset": RESET_MINUTES, "confirm": CONFIRM_MINUTES}

logger = structlog.get_logger()


class Mailer:
    """Sends the outbox for one worker (transactional outbox: at-least-once delivery)."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._smtp = (
            None if settings.smtp_url is None else SmtpClient(settings.smtp_url, sender=str(settings.mail_from))
        )
        self._db = Database(settings.database("worker"), size=1, name="vote worker mail")
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._follow, name="mail", daemon=True)

    def start(self) -> None:
        """Begin to send in a thread; log a warning where nothing can be sent."""
        if not self._settings.can_mail:
            logger.warning("mail disabled", reason="SMTP_URL is not set: no password resets and no warnings by mail")
        self._thread.start()

    def close(self) -> None:
        """Finish the current mail, then close everything."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join()
        self._db.close()

    def send_next(self) -> bool:
        """Send the next mail that is due. Returns False when there is none. Raises DatabaseUnavailable."""
        with self._db.transaction(by=ACTOR) as tx:
            mail = outbox.take(tx)
        if mail is None:
            return False
        if not self._settings.can_mail:
            self._finish(mail, "not sent: there is no SMTP_URL")
        else:
            self._deliver(mail, mail.recipient)
        return True

    def discard_unaddressed(self) -> None:
        """Finish all mails to addresses that no account has, however many were requested. Raises DatabaseUnavailable."""
        with self._db.transaction(by=ACTOR) as tx:
            number = outbox.finish_to_nobody(tx, "nobody has this address")
        if number:
            logger.info("mails discarded", count=number)

    def _deliver(self, mail: Mail, recipient: str) -> None:
        text = self._write(mail, recipient)
        if self._smtp is None:
            with self._db.transaction(by=ACTOR) as tx:
                outbox.keep_to_read(tx, mail.id, f"{text.subject}\n\n{text.body}")
            return
        try:
            self._smtp.send(recipient, text.subject, text.body)
        except (OSError, smtplib.SMTPException) as error:
            self._failed(mail, recipient, error)
        else:
            self._finish(mail, "sent")

    def _write(self, mail: Mail, recipient: str) -> RenderedMail:
        token = None
        if mail.kind in ("reset", "confirm") and mail.user_id is not None:
            token = secrets.token_urlsafe(TOKEN_BYTES)
            with self._db.transaction(by=ACTOR) as tx:
                mail_links.replace(
                    tx,
                    token_hash=hash_of(token),
                    user_id=mail.user_id,
                    purpose=mail.kind,
                    email=recipient,
                    minutes=MINUTES[mail.kind],
                )
        return mail_templates.render(mail.kind, username=mail.username or "", site=self._settings.site_url, token=token)

    def _failed(self, mail: Mail, recipient: str, error: Exception) -> None:
        # Only the kind of error: the server's own text repeats the address.
        outcome = f"failed: {type(error).__name__}"
        if mail.tries >= MOST_TRIES or _is_final(error, recipient):
            self._finish(mail, outcome)
            return
        wait_s = min(AFTER_FAILURE_S * 2 ** (mail.tries - 1), LONGEST_WAIT_S)
        logger.warning("mail not sent", mail=mail.id, kind=mail.kind, reason=outcome, again_in_s=wait_s)
        with self._db.transaction(by=ACTOR) as tx:
            outbox.again_later(tx, mail.id, wait_s=wait_s, outcome=outcome)

    def _finish(self, mail: Mail, outcome: str) -> None:
        with self._db.transaction(by=ACTOR) as tx:
            outbox.finish(tx, mail.id, outcome)
        has_failed = outcome.startswith("failed")
        MAIL_FAILED.inc(int(has_failed))
        log = logger.error if has_failed else logger.info
        log("mail finished", mail=mail.id, kind=mail.kind, result=outcome, tries=mail.tries)

    def _follow(self) -> None:
        while not self._stop.is_set():
            try:
                sent = self.send_next()
                if not sent:
                    self.discard_unaddressed()
            except Unavailable:
                sent = False  # the worker's loop logs that the database is away
            except Exception:  # one mail that cannot be written must not end all others
                logger.exception("mail failed")
                sent = False
            if not sent:
                self._stop.wait(EVERY_S)


def _is_final(error: Exception, recipient: str) -> bool:
    """Return whether the server refused this recipient or mail for good (RFC 5321 §4.2.1: 5yz), or can never write to it."""
    if isinstance(error, smtplib.SMTPNotSupportedError):
        return needs_smtputf8(recipient)  # otherwise the server lacks STARTTLS, which its operator can change
    if isinstance(error, smtplib.SMTPRecipientsRefused):
        return all(code >= 500 for code, _ in error.recipients.values())
    return isinstance(error, smtplib.SMTPDataError) and error.smtp_code >= 500
