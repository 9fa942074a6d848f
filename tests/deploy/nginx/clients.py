"""Clients of nginx: one that sends a plain request, one that sends bytes as they are, one that holds a WebSocket."""

import contextlib
import socket
import ssl
from collections.abc import Iterator, Mapping
from http.client import HTTPMessage, HTTPResponse
from pathlib import Path
from typing import Any, NamedTuple

import orjson

TIMEOUT_S = 45.0
BROWSER = {"Accept": "text/html,application/xhtml+xml", "Sec-Fetch-Mode": "navigate"}
ENDS = (OSError, ssl.SSLError)


class Answer(NamedTuple):
    """An answer, whole."""

    status: int
    headers: HTTPMessage
    body: bytes

    @property
    def json(self) -> Any:
        return orjson.loads(self.body)

    def all(self, name: str) -> list[str]:
        """Every value of a header field."""
        return self.headers.get_all(name) or []


class Client(NamedTuple):
    """How to reach a site: its ports, its name, the authority that it is known by."""

    port: int
    http_port: int
    name: str
    ca: Path

    def connect(
        self, *, source: str = "127.0.0.1", server_name: str | None = "", alpn: tuple[str, ...] = ()
    ) -> ssl.SSLSocket:
        """A TLS connection. `server_name`: another name than the site's, or None for no name at all."""
        context = ssl.create_default_context(cafile=str(self.ca))
        if alpn:
            context.set_alpn_protocols(list(alpn))
        if server_name is None:
            context.check_hostname = False
        return self.connect_tls(context, server_name=self.name if server_name == "" else server_name, source=source)

    def connect_tls(
        self, context: ssl.SSLContext, *, server_name: str | None = None, source: str = "127.0.0.1"
    ) -> ssl.SSLSocket:
        """A connection with a context of the caller's."""
        plain = socket.create_connection(("127.0.0.1", self.port), TIMEOUT_S, source_address=(source, 0))
        try:
            return context.wrap_socket(plain, server_hostname=server_name)
        except ENDS:
            plain.close()
            raise

    def connect_plainly(self) -> socket.socket:
        """A connection to the port of plain HTTP."""
        return socket.create_connection(("127.0.0.1", self.http_port), TIMEOUT_S)

    def request(self, method: str, path: str, headers: Mapping[str, str] | None = None, body: bytes = b"") -> bytes:
        """The bytes of a request."""
        fields = {"Host": self.name, **(headers or {})}
        if body or method == "POST":
            fields.setdefault("Content-Length", str(len(body)))
        lines = [f"{method} {path} HTTP/1.1", *(f"{name}: {value}" for name, value in fields.items()), "", ""]
        return "\r\n".join(lines).encode("latin-1") + body

    def ask(
        self,
        method: str,
        path: str,
        headers: Mapping[str, str] | None = None,
        body: bytes = b"",
        *,
        source: str = "127.0.0.1",
    ) -> Answer:
        """One request over TLS on a connection of its own."""
        with self.connect(source=source) as one:
            return exchange(one, self.request(method, path, headers, body), method)

    def get(self, path: str, headers: Mapping[str, str] | None = None, *, source: str = "127.0.0.1") -> Answer:
        return self.ask("GET", path, headers, source=source)

    def post(self, path: str, body: bytes = b"", headers: Mapping[str, str] | None = None) -> Answer:
        return self.ask("POST", path, {"Content-Type": "application/json", **(headers or {})}, body)

    def ask_plainly(self, method: str, path: str, headers: Mapping[str, str] | None = None) -> Answer:
        """One request over plain HTTP."""
        with self.connect_plainly() as one:
            return exchange(one, self.request(method, path, headers), method)


def exchange(one: socket.socket, data: bytes, method: str = "GET") -> Answer:
    """Send bytes and read one answer. Raises OSError or HTTPException when there is none."""
    with contextlib.suppress(
        BrokenPipeError, ConnectionResetError
    ):  # refused before all of it was sent: the answer counts
        one.sendall(data)
    response = HTTPResponse(one, method=method)
    response.begin()
    body = response.read()
    return Answer(response.status, response.headers, body)


def read_to_end(one: socket.socket) -> bytes:
    """All that comes until the other side closes."""
    data = b""
    with contextlib.suppress(*ENDS):
        while part := one.recv(65536):
            data += part
    return data


class Socket:
    """A WebSocket by hand: what it sends must come back, since the web echoes."""

    def __init__(self, one: ssl.SSLSocket, answer: bytes) -> None:
        self._one, self.answer = one, answer

    def is_alive(self, text: bytes) -> bool:
        """Send a masked text frame; return whether the same bytes come back."""
        frame = b"\x81" + bytes((0x80 | len(text),)) + b"\0\0\0\0" + text
        try:
            self._one.sendall(frame)
            data = b""
            while len(data) < len(frame):
                part = self._one.recv(65536)
                if not part:
                    return False
                data += part
        except ENDS:
            return False
        return data == frame


@contextlib.contextmanager
def open_socket(client: Client, path: str = "/live/1") -> Iterator[Socket]:
    """A WebSocket through nginx."""
    fields = {"Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Version": "13"}
    fields["Sec-WebSocket-Key"] = "dGhlIHNhbXBsZSBub25jZQ=="
    with client.connect() as one:
        one.sendall(client.request("GET", path, fields))
        head = b""
        while b"\r\n\r\n" not in head and (part := one.recv(1)):
            head += part
        yield Socket(one, head)
