"""Where one request ends and the next begins on a connection, and what of it is read: uvicorn's protocol, fed in parts.

The parser is given one head or one body at a time, and nothing of the next request before this one is answered and the
client has read what it was sent. So a connection holds one parsed request, however many are sent ahead (RFC 9112 §9.3.2),
and no answer is made for somebody who does not read. Every byte counts against a limit of `input_limits.py`.
"""

import re

import httptools
import structlog
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from vote import input_limits as limits

END_OF_HEAD = b"\r\n\r\n"
HOST = re.compile(
    rb"([A-Za-z0-9._~-]{1,255}|\[[0-9A-Fa-f:.]{2,45}\])(:[0-9]{0,5})?"
)  # RFC 3986 §3.2.2, as names are today
HOP_BY_HOP = (b"upgrade", b"http2-settings")  # what goes when an upgrade is ignored

Refusal = tuple[bytes, bytes]  # status line without the version, and a sentence

TOO_LARGE: Refusal = b"431 Request Header Fields Too Large", b"The head of this request is larger than 32 KiB.\n"
TOO_MANY_HEADERS: Refusal = TOO_LARGE[0], b"This request has more than 100 header fields.\n"
LINE_TOO_LONG: Refusal = TOO_LARGE[0], b"A header field of a WebSocket handshake has at most 8,000 bytes.\n"
TOO_MUCH_FRAMING: Refusal = (
    TOO_LARGE[0],
    b"Chunks and trailers of this request take more than 32 KiB beside its content.\n",
)
URL_TOO_LONG: Refusal = b"414 URI Too Long", b"The address of this request is longer than 8,000 bytes.\n"
NO_HOST: Refusal = b"400 Bad Request", b"Send one valid `Host` header (RFC 9112, section 3.2).\n"
UNREADABLE: Refusal = b"400 Bad Request", b"This is not a request in HTTP/1.1.\n"

logger = structlog.get_logger()


class FramingProtocol(HttpToolsProtocol):
    """One connection, as far as bytes are concerned. `_ahead` is what came before its turn: one read of the socket."""

    _ahead = b""
    _ahead_at = 0  # where in `_ahead` the next request begins
    _is_in_head = True
    _head_bytes = 0
    _tail = b""  # the last bytes of an unfinished head: its end may be split between two reads
    _body_left: int | None = 0  # bytes of the body that are still to come; None: it comes in chunks
    _body_bytes = 0
    _framing_bytes = 0  # what chunks and trailers took beside the body
    _is_ignoring_upgrade = False
    _refusal: Refusal | None = None

    def data_received(self, data: bytes) -> None:
        """Read as far as it is this request's turn; the rest waits, and so does the client."""
        if self._ahead:
            self._ahead, self._ahead_at = self._ahead[self._ahead_at :] + data, 0
            self.flow.pause_reading()
        else:
            self._read(data, 0)

    def connection_lost(self, exc: Exception | None) -> None:
        """What was sent ahead is nobody's any more."""
        self._ahead = b""
        super().connection_lost(exc)

    def resume_writing(self) -> None:
        """The client has read: what it sent ahead has its turn."""
        super().resume_writing()
        self._go_on_soon()

    def on_header(self, name: bytes, value: bytes) -> None:
        """Take a field of the head. Trailers are no header fields (RFC 9110 §6.5.1) and go; they count as framing."""
        if self._is_in_head:
            name = name.lower()
            if name == b"expect" and value.lower() == b"100-continue":
                self.expect_100_continue = True
            self.headers.append((name, value))

    def on_headers_complete(self) -> None:
        """Begin the request, unless its head is refused: then raises ValueError, to the parser."""
        self._refusal = self._why_not()
        if self._refusal is not None:
            raise ValueError(self._refusal[1])
        self._is_in_head, self._head_bytes, self._tail = False, 0, b""
        self._body_bytes = self._framing_bytes = 0
        self._is_ignoring_upgrade = self.parser.should_upgrade() and not self._should_upgrade()
        if not self._is_ignoring_upgrade:
            super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        """Count content and framing apart."""
        self._body_bytes += len(body)
        self._framing_bytes -= len(body)
        super().on_body(body)

    def on_message_complete(self) -> None:
        """All is there; what comes next is another head. Raises ValueError, to the parser, when the framing was too much."""
        if self._is_ignoring_upgrade:
            return
        if self._has_too_much_framing():
            self._refusal = TOO_MUCH_FRAMING
            raise ValueError(TOO_MUCH_FRAMING)
        self._is_in_head = True
        super().on_message_complete()

    def on_response_complete(self) -> None:
        """Go on with what was sent ahead, or with reading."""
        self.server_state.total_requests += 1
        if self.transport.is_closing():
            return
        if self._ahead:
            self._go_on_soon()
        else:
            self.flow.resume_reading()

    def send_400_response(self, msg: str) -> None:  # noqa: ARG002  # uvicorn's signature
        """Refuse what the parser did not take, also because we told it to."""
        status, text = self._refusal or UNREADABLE
        logger.warning("request refused", status=int(status[:3]), reason=text.decode("ascii").strip())
        self._turn_away(status, text)

    def _read(self, data: bytes, at: int) -> None:
        while at < len(data):
            if self._must_wait():
                self._ahead, self._ahead_at = data, at
                self.flow.pause_reading()
                return
            end = self._end_of_part(data, at)
            if not self._feed(data[at:end] if at or end < len(data) else data):
                return
            at = end

    def _must_wait(self) -> bool:
        """Whether a request would begin before the one before it is answered, and what was answered is read."""
        if not self._is_in_head or self._head_bytes:
            return False
        return self.flow.write_paused or (self.cycle is not None and not self.cycle.response_complete)

    def _go_on_soon(self) -> None:
        if self._ahead:
            self.loop.call_soon(self._go_on)  # others have their turn between two requests

    def _go_on(self) -> None:
        if self._ahead and not self._must_wait() and not self.transport.is_closing():
            data, self._ahead = self._ahead, b""
            self.flow.resume_reading()
            self._read(data, self._ahead_at)

    def _end_of_part(self, data: bytes, at: int) -> int:
        """Where the head or body that is being read ends in `data`, or may end; its end when it surely goes on."""
        if not self._is_in_head and self._body_left is not None:
            return min(len(data), at + self._body_left)
        if self._tail:
            split = (self._tail + data[at : at + 3]).find(END_OF_HEAD)
            if split >= 0:
                return at + split + len(END_OF_HEAD) - len(self._tail)
        found = data.find(END_OF_HEAD, at)
        return len(data) if found < 0 else found + len(END_OF_HEAD)

    def _feed(self, part: bytes) -> bool:
        """Give the parser one part. False when this connection is over, or is a WebSocket now."""
        if self._is_in_head:
            self._head_bytes += len(part)
        else:
            self._framing_bytes += len(part)
            if self._body_left is not None:
                self._body_left -= len(part)
        self._tail = (self._tail + part[-3:])[-3:]
        try:
            self.parser.feed_data(part)
        except httptools.HttpParserUpgrade:
            if not self._is_ignoring_upgrade:
                self.handle_websocket_upgrade()
                return False
            self._ignore_upgrade()
        except httptools.HttpParserError:
            self.send_400_response("")
        self._check_sizes()
        return not self.transport.is_closing()

    def _check_sizes(self) -> None:
        if self.transport.is_closing():
            return
        if self._is_in_head:
            if self._head_bytes > limits.HEAD_MAX_BYTES:
                self._turn_away(*TOO_LARGE)
        elif self._has_too_much_framing():
            self._turn_away(*TOO_MUCH_FRAMING)

    def _has_too_much_framing(self) -> bool:
        if self._body_left is not None:
            return False
        return self._framing_bytes > limits.FRAMING_MAX_BYTES + self._body_bytes // limits.FRAMING_SHARE

    def _why_not(self) -> Refusal | None:
        """What is wrong with this head; learns on the way how long its body is."""
        hosts, length, is_chunked, longest = [], 0, False, 0
        for name, value in self.headers:
            longest = max(longest, len(name) + len(value))
            if name == b"host":
                hosts.append(value)
            elif name == b"content-length":
                length = int(value)
            elif name == b"transfer-encoding":
                is_chunked = True
        self._body_left = None if is_chunked else length
        if self._head_bytes > limits.HEAD_MAX_BYTES:
            return TOO_LARGE
        if len(self.headers) > limits.HEADERS_MAX:
            return TOO_MANY_HEADERS
        if len(self.url) > limits.URL_MAX_BYTES:
            return URL_TOO_LONG
        if len(hosts) > 1 or not all(map(HOST.fullmatch, hosts)) or (not hosts and self._needs_host()):
            return NO_HOST
        if longest > limits.HANDSHAKE_LINE_MAX_BYTES and self.parser.should_upgrade() and self._should_upgrade():
            return LINE_TOO_LONG
        return UNREADABLE if self.parser.get_method() == b"CONNECT" else None

    def _needs_host(self) -> bool:
        return bool(self.parser.get_http_version() != "1.0")

    def _ignore_upgrade(self) -> None:
        """Read the request as HTTP/1.1 (RFC 9110 §7.8): the parser has stopped behind the head, so a fresh one is given the
        head without its upgrade, and then the body.
        """
        head = [b"%b %b HTTP/%b" % (self.parser.get_method(), self.url, self.parser.get_http_version().encode("ascii"))]
        for name, value in self.headers:
            if name == b"connection":
                kept = [token for token in value.split(b",") if token.strip().lower() not in HOP_BY_HOP]
                head += [b"connection: " + b",".join(kept)] if kept else []
            elif name not in HOP_BY_HOP:
                head.append(b"%b: %b" % (name, value))
        self.parser = httptools.HttpRequestParser(self)
        self.parser.set_dangerous_leniencies(lenient_data_after_close=True)  # as uvicorn does
        self._is_in_head, self._is_ignoring_upgrade = True, False
        try:
            self.parser.feed_data(b"\r\n".join([*head, b"", b""]))
        except httptools.HttpParserError:
            self.send_400_response("")

    def _owes_an_answer(self) -> bool:
        """Whether a request is under way, or was answered before its body came, that must not be told anything else."""
        cycle = self.cycle
        if cycle is None or (cycle.response_complete and self._is_in_head):
            return False
        return cycle.response_complete or cycle.response_started or not cycle.more_body

    def _turn_away(self, status: bytes, text: bytes) -> None:
        """Say why, where no answer is owed to another request, and end the connection; the app hears of it."""
        if not self._owes_an_answer():
            head = b"content-type: text/plain; charset=utf-8\r\nconnection: close\r\ncontent-length: %d" % len(text)
            self.transport.write(b"HTTP/1.1 %s\r\n%s\r\n\r\n%s" % (status, head, text))
        self.transport.close()
