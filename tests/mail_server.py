"""A mail server for tests: takes mail by SMTP, with TLS when it is given a certificate, and fails where it is told to."""

import email
import email.policy
import socketserver
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from email.message import EmailMessage
from typing import Any


@dataclass
class MailServer:
    """What arrived, and how the next mails are answered: a reply in place of the one to DATA's end."""

    port: int = 0
    mails: list[EmailMessage] = field(default_factory=list)
    recipients: list[str] = field(default_factory=list)
    replies: list[bytes] = field(default_factory=list)
    tls: ssl.SSLContext | None = None
    was_encrypted: list[bool] = field(default_factory=list)

    @property
    def url(self) -> str:
        """Its SMTP_URL."""
        return f"smtp://127.0.0.1:{self.port}"


@contextmanager
def serving(tls: ssl.SSLContext | None = None) -> Iterator[MailServer]:
    """Run a server on a free port of this machine."""
    server = MailServer(tls=tls)

    class Handler(socketserver.StreamRequestHandler):
        timeout = 10

        def handle(self) -> None:
            conversation = _Conversation(server, self)
            with suppress(ConnectionError):
                conversation.run()
            conversation.close()

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler) as listening:
        listening.daemon_threads = True
        server.port = listening.server_address[1]
        thread = threading.Thread(target=listening.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        thread.start()
        try:
            yield server
        finally:
            listening.shutdown()
            thread.join()


class _Conversation:
    def __init__(self, server: MailServer, handler: Any) -> None:
        self._server, self._socket = server, handler.request
        self._in, self._out = handler.rfile, handler.wfile
        self._is_encrypted = False

    def run(self) -> None:
        self._say(b"220 test")
        while line := self._in.readline():
            word = line[:4].upper()
            if word == b"QUIT":
                self._say(b"221 bye")
                return
            if word == b"EHLO":
                self._say(b"250-test\r\n250 STARTTLS" if self._server.tls and not self._is_encrypted else b"250 test")
            elif word == b"STAR" and self._server.tls:
                self._say(b"220 go")
                try:
                    self._socket = self._server.tls.wrap_socket(
                        self._socket, server_side=True, do_handshake_on_connect=False
                    )
                    self._socket.do_handshake()
                except OSError:
                    return  # the client does not trust us
                self._in, self._out = self._socket.makefile("rb"), self._socket.makefile("wb")
                self._is_encrypted = True
            elif word == b"RCPT":
                self._server.recipients.append(line.decode("ascii").partition("<")[2].partition(">")[0])
                self._say(b"250 ok")
            elif word == b"DATA":
                self._take()
            else:
                self._say(b"250 ok")

    def close(self) -> None:
        """Let the connection go, and what TLS has put around it."""
        for one in (self._in, self._out, self._socket):
            with suppress(OSError):
                one.close()

    def _take(self) -> None:
        self._say(b"354 go on")
        lines = []
        while (line := self._in.readline()) not in (b".\r\n", b""):
            lines.append(line[1:] if line.startswith(b"..") else line)
        if self._server.replies:
            self._say(self._server.replies.pop(0))
            return
        self._server.mails.append(email.message_from_bytes(b"".join(lines), policy=email.policy.default))
        self._server.was_encrypted.append(self._is_encrypted)
        self._say(b"250 taken")

    def _say(self, line: bytes) -> None:
        self._out.write(line + b"\r\n")
        self._out.flush()
