"""Frame requests on a connection: uvicorn's protocol, fed one head or one body at a time.

Nothing of the next request is parsed before this one is answered and the client has read the answer. So a connection holds
one parsed request, however many are pipelined (RFC 9112 §9.3.2), and no answer is made for a client that does not read.
Every byte counts against a limit of `input_limits.py`.
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
HOP_BY_HOP = (b"upgrade", b"http2-settings")  # dropped when an upgrade is ignored

Refusal = tuple[bytes, bytes]  # status code with its phrase, and a sentence

TOO_LARGE: Refusal = b"431 Request Header Fields Too Large", b"This request's head is larger than 32 KiB.\n"
TOO_MANY_HEADERS: Refusal = TOO_LARGE[0], b"This request has more than 100 header fields.\n"
LINE_TOO_LONG: Refusal = TOO_LARGE[0], b"A header field of a WebSocket handshake may have at most 8,000 bytes.\n"
TOO_MUCH_FRAMING: Refusal = (
    TOO_LARGE[0],
    b"Chunk headers and trailers of this request take more than 32 KiB.\n",
)
URL_TOO_LONG: Refusal = b"414 URI Too Long", b"This request's URL is longer than 8,000 bytes.\n"
NO_HOST: Refusal = b"400 Bad Request", b"Send one valid `Host` header (RFC 9112, section 3.2).\n"
UNREADABLE: Refusal = b"400 Bad Request", b"This is not a valid request in HTTP/1.1.\n"

logger = structlog.get_logger()


class FramingProtocol(HttpToolsProtocol):
    """The bytes of one connection. `_ahead` holds what arrived before its turn: at most one read of the socket."""

    _ahead = b""
    _ahead_offset = 0  # where the next request begins in `_ahead`
    _is_in_head = True
    _head_bytes = 0
    _tail = b""  # the last bytes of an unfinished head: its end may be split between two reads
    _body_left: int | None = 0  # bytes of the body still to come; None: it is chunked
    _body_bytes = 0
    _framing_bytes = 0  # chunk headers and trailers, without content
    _is_ignoring_upgrade = False
    _refusal: Refusal | None = None

    def data_received(self, data: bytes) -> None:
        """Parse up to the end of the current request; hold back the rest, and stop reading from the client."""
        if self._ahead:
            self._ahead, self._ahead_offset = self._ahead[self._ahead_offset :] + data, 0
            self.flow.pause_reading()
        else:
            self._read(data, 0)

    def connection_lost(self, exc: Exception | None) -> None:
        """Discard pipelined bytes."""
        self._ahead = b""
        super().connection_lost(exc)

    def resume_writing(self) -> None:
        """Continue with pipelined requests once the client has read the answer."""
        super().resume_writing()
        self._go_on_soon()

    def on_header(self, name: bytes, value: bytes) -> None:
        """Collect a header field. Trailers are not header fields (RFC 9110 §6.5.1): drop them and count them as framing."""
        if self._is_in_head:
            name = name.lower()
            if name == b"expect" and value.lower() == b"100-continue":
                self.expect_100_continue = True
            self.headers.append((name, value))

    def on_headers_complete(self) -> None:
        """Start the request. Raises ValueError, to the parser, when its head is refused."""
        self._refusal = self._check_head()
        if self._refusal is not None:
            raise ValueError(self._refusal[1])
        self._is_in_head, self._head_bytes, self._tail = False, 0, b""
        self._body_bytes = self._framing_bytes = 0
        self._is_ignoring_upgrade = self.parser.should_upgrade() and not self._should_upgrade()
        if not self._is_ignoring_upgrade:
            super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        """Count content, separately from framing."""
        self._body_bytes += len(body)
        self._framing_bytes -= len(body)
        super().on_body(body)

    def on_message_complete(self) -> None:
        """Finish the request; a head follows. Raises ValueError, to the parser, when there was too much framing."""
        if self._is_ignoring_upgrade:
            return
        if self._has_too_much_framing():
            self._refusal = TOO_MUCH_FRAMING
            raise ValueError(TOO_MUCH_FRAMING)
        self._is_in_head = True
        super().on_message_complete()

    def on_response_complete(self) -> None:
        """Continue with the next pipelined request, or with reading."""
        self.server_state.total_requests += 1
        if self.transport.is_closing():
            return
        if self._ahead:
            self._go_on_soon()
        else:
            self.flow.resume_reading()

    def send_400_response(self, msg: str) -> None:  # noqa: ARG002  # uvicorn's signature
        """Refuse what the parser rejected, or what we made it reject."""
        status, text = self._refusal or UNREADABLE
        logger.warning("request refused", status=int(status[:3]), reason=text.decode("ascii").strip())
        self._turn_away(status, text)

    def _read(self, data: bytes, offset: int) -> None:
        while offset < len(data):
            if self._must_wait():
                self._ahead, self._ahead_offset = data, offset
                self.flow.pause_reading()
                return
            end = self._end_of_part(data, offset)
            if not self._feed(data[offset:end] if offset or end < len(data) else data):
                return
            offset = end

    def _must_wait(self) -> bool:
        """Return whether a new request would begin before the previous one is answered and its answer was read."""
        if not self._is_in_head or self._head_bytes:
            return False
        return self.flow.write_paused or (self.cycle is not None and not self.cycle.response_complete)

    def _go_on_soon(self) -> None:
        if self._ahead:
            self.loop.call_soon(self._go_on)  # other connections take their turn between two requests

    def _go_on(self) -> None:
        if self._ahead and not self._must_wait() and not self.transport.is_closing():
            data, self._ahead = self._ahead, b""
            self.flow.resume_reading()
            self._read(data, self._ahead_offset)

    def _end_of_part(self, data: bytes, offset: int) -> int:
        """Return where the current head or body ends in `data`, or may end; len(data) when it continues beyond."""
        if not self._is_in_head and self._body_left is not None:
            return min(len(data), offset + self._body_left)
        if self._tail:
            split = (self._tail + data[offset : offset + 3]).find(END_OF_HEAD)
            if split >= 0:
                return offset + split + len(END_OF_HEAD) - len(self._tail)
        end = data.find(END_OF_HEAD, offset)
        return len(data) if end < 0 else end + len(END_OF_HEAD)

    def _feed(self, part: bytes) -> bool:
        """Give the parser one part. Return False when the connection is closing or has become a WebSocket."""
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

    def _check_head(self) -> Refusal | None:
        """Return why this head is refused, or None. Also sets the length of the body."""
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
        """Parse the request as HTTP/1.1 (RFC 9110 §7.8). The parser has stopped after the head, so a new one gets the head
        without its upgrade, and then the body.
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
        """Return whether another request's answer is under way, or was sent before that request's body arrived."""
        cycle = self.cycle
        if cycle is None or (cycle.response_complete and self._is_in_head):
            return False
        return cycle.response_complete or cycle.response_started or not cycle.more_body

    def _turn_away(self, status: bytes, text: bytes) -> None:
        """Send the refusal unless another request's answer is due, then close the connection, which also informs the app."""
        if not self._owes_an_answer():
            head = b"content-type: text/plain; charset=utf-8\r\nconnection: close\r\ncontent-length: %d" % len(text)
            self.transport.write(b"HTTP/1.1 %s\r\n%s\r\n\r\n%s" % (status, head, text))
        self.transport.close()
