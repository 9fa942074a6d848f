"""A web that notes every request to the byte, and can misbehave: a stand-in for `vote web`, which would hide things."""

import base64
import contextlib
import hashlib
import socket
import threading
from collections.abc import Callable
from typing import NamedTuple

from tests.deploy.nginx.ports import own_port

HEAD_END = b"\r\n\r\n"
WEBSOCKET_GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"  # RFC 6455 §1.3


class Seen(NamedTuple):
    """A request as it arrived."""

    connection: int
    head: bytes
    body: bytes

    @property
    def line(self) -> str:
        return self.head.split(b"\r\n", 1)[0].decode("latin-1")

    @property
    def path(self) -> str:
        return self.line.partition(" ")[2].partition(" ")[0]

    def all(self, name: str) -> list[str]:
        """Every value of a header field."""
        fields = [line.partition(b":") for line in self.head.split(b"\r\n")[1:] if line]
        return [value.strip().decode("latin-1") for key, _, value in fields if key.lower() == name.lower().encode()]


Answer = Callable[[Seen], bytes | None]  # None: close without a word


def answer(status: str = "200 OK", body: bytes = b"{}", **fields: str) -> bytes:
    """The bytes of an answer; `Cache_Control` becomes `Cache-Control`."""
    lines = [f"{name.replace('_', '-')}: {value}" for name, value in fields.items()]
    head = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", "Content-Type: application/json", *lines, "", ""]
    return "\r\n".join(head).encode() + body


def plainly(_seen: Seen) -> bytes:
    """Answer 200."""
    return answer()


class RecordingWeb:
    """Listens on a port of its own until `close`. `answer` decides what is answered; its thread may wait."""

    def __init__(self, answer: Answer = plainly) -> None:
        self.answer, self.seen = answer, list[Seen]()
        self.closes = self.is_closed = False  # `closes`: ends each connection after one answer
        self.port = own_port()
        self.address = f"127.0.0.1:{self.port}"
        self._connections, self._count = list[socket.socket](), 0
        self._listening: socket.socket | None = None
        self.appear()

    def appear(self) -> None:
        """Listen."""
        self._listening = listening = socket.create_server(("127.0.0.1", self.port), backlog=1024)
        threading.Thread(target=self._accept, args=(listening,), daemon=True).start()

    def vanish(self) -> None:
        """Refuse connections, and end those that are open."""
        self._stop_listening()
        for one in self._connections:
            _end(one)
        self._connections.clear()

    def fall_silent(self) -> None:
        """Answer not even a connection's first packet, as an address does whose container is gone.

        The queue of this listener is full, and Linux drops what else wants in.
        """
        self.vanish()
        self._listening = socket.create_server(("127.0.0.1", self.port), backlog=0)
        for _ in range(2):
            waiting = socket.socket()
            waiting.setblocking(False)
            waiting.connect_ex(("127.0.0.1", self.port))
            self._connections.append(waiting)

    def close(self) -> None:
        """End everything; whoever waits in `answer` sees `is_closed`."""
        self.is_closed = True
        self.vanish()

    def paths(self, prefix: str = "/") -> list[str]:
        """The paths asked for, in order."""
        return [seen.path for seen in self.seen if seen.path.startswith(prefix)]

    def _stop_listening(self) -> None:
        if self._listening is not None:
            _end(self._listening)
            self._listening = None

    def _accept(self, listening: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while True:
                one, _ = listening.accept()
                self._connections.append(one)
                self._count += 1
                threading.Thread(target=self._serve, args=(one, self._count), daemon=True).start()

    def _serve(self, one: socket.socket, number: int) -> None:
        with contextlib.suppress(OSError, EOFError), contextlib.closing(one):
            one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            rest = b""
            while True:
                seen, rest = _read(one, rest, number)
                self.seen.append(seen)
                if "websocket" in seen.all("upgrade") and seen.all("sec-websocket-key"):
                    _echo(one, seen, rest)
                    return
                said = self.answer(seen)
                if said is None:
                    return
                one.sendall(said)
                if self.closes:
                    return


def _read(one: socket.socket, data: bytes, number: int) -> tuple[Seen, bytes]:
    """Read one request: its length is what the first Content-Length says, the only way in which nginx sends a body."""
    while HEAD_END not in data:
        data += _more(one)
    head, _, data = data.partition(HEAD_END)
    lengths = Seen(number, head, b"").all("content-length")
    length = int(lengths[0]) if lengths and lengths[0].isdigit() else 0
    while len(data) < length:
        data += _more(one)
    return Seen(number, head, data[:length]), data[length:]


def _more(one: socket.socket) -> bytes:
    part = one.recv(65536)
    if not part:
        raise EOFError
    return part


def _echo(one: socket.socket, seen: Seen, rest: bytes) -> None:
    """Become a WebSocket that sends every byte back."""
    key = seen.all("sec-websocket-key")[0].encode()
    accept = base64.b64encode(hashlib.sha1(key + WEBSOCKET_GUID).digest()).decode()  # noqa: S324  # RFC 6455 says SHA-1
    head = f"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: {accept}"
    one.sendall(f"{head}\r\n\r\n".encode() + rest)
    while True:
        one.sendall(_more(one))


def _end(one: socket.socket) -> None:
    with contextlib.suppress(OSError):
        one.shutdown(socket.SHUT_RDWR)
    one.close()
