"""Sends a mail to a mail server, over TLS with verified certificate and name. `mailer.py` decides which and when."""

import smtplib
import ssl
from email.message import EmailMessage
from email.utils import formatdate, make_msgid
from urllib.parse import parse_qs, unquote, urlsplit

from vote import transport_security
from vote.domain.folding import mail_address

TIMEOUT_S = 10.0  # for each step of the conversation


class SmtpClient:
    """The server of SMTP_URL: `smtps://` with TLS from the first byte, `smtp://` with STARTTLS, plain only to loopback."""

    def __init__(self, url: str, *, sender: str) -> None:
        parts = urlsplit(url)
        self._host, self._is_tls = parts.hostname or "", parts.scheme == "smtps"
        self._port = parts.port or (465 if self._is_tls else 587)
        self._user, self._password = unquote(parts.username or ""), unquote(parts.password or "")
        self._ca = parse_qs(parts.query).get("ca", [None])[0]
        self._sender = mail_address(sender)

    def send(self, recipient: str, subject: str, text: str) -> None:
        """Hand a mail over. Raises OSError or SMTPException; as far as is known the server has not taken it then.

        The domain goes out as A-labels, which every server takes (RFC 5890); only a local part beyond ASCII needs SMTPUTF8.
        """
        mail = EmailMessage()
        mail["From"], mail["To"], mail["Subject"] = self._sender, mail_address(recipient), subject
        mail["Date"], mail["Message-ID"] = formatdate(), make_msgid(domain=self._sender.rpartition("@")[2])
        mail["Auto-Submitted"] = "auto-generated"  # RFC 3834: keeps auto-replies away
        mail.set_content(text, cte="7bit" if text.isascii() else "base64")
        with self._connected() as server:
            if self._user:
                server.login(self._user, self._password)
            server.send_message(mail)

    def _connected(self) -> smtplib.SMTP:
        if self._is_tls:
            return smtplib.SMTP_SSL(self._host, self._port, timeout=TIMEOUT_S, context=self._context())
        server = smtplib.SMTP(self._host, self._port, timeout=TIMEOUT_S)
        try:
            if not transport_security.is_local(self._host) or self._ca:
                server.starttls(
                    context=self._context()
                )  # raises where the server has none: nothing is sent in the clear
        except (OSError, smtplib.SMTPException):
            server.close()
            raise
        return server

    def _context(self) -> ssl.SSLContext:
        return ssl.create_default_context(cafile=self._ca)
