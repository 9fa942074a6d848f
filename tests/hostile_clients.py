"""What strangers do to a server to take it from others: bounded in bytes, connections and time, and on loopback only.

Each attack comes from 127.0.0.1. Whoever is measured meanwhile comes from 127.0.0.2, which is another network to the limits.
"""

import contextlib
import http.client
import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple
from urllib.parse import urlencode

MIB = 1024 * 1024
HOST = "127.0.0.1"
SOMEBODY_ELSE = "127.0.0.2"
FORM = "application/x-www-form-urlencoded"
TIMEOUT_S = 30


def connect(port: int, *, receive_buffer: int | None = None) -> socket.socket:
    """A connection to the server."""
    one = socket.socket()
    if receive_buffer is not None:
        one.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
    one.settimeout(TIMEOUT_S)
    one.connect((HOST, port))
    return one


def send_all(one: socket.socket, data: bytes) -> bytes:
    """Send as much as the server takes and read what it answers in the end, also where it closes in between."""
    answer = b""
    with contextlib.suppress(OSError):
        one.sendall(data)
    with contextlib.suppress(OSError):
        while part := one.recv(65536):
            answer += part
    return answer


def trailers(port: int, mebibytes: int = 20) -> bytes:
    """A body of no bytes and trailers without an end, on one connection; what is answered."""
    head = b"POST /login HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
    with connect(port) as one:
        return send_all(one, head + b"0\r\n" + b"a:\r\n" * (mebibytes * MIB // 4))


def sent_ahead(port: int, mebibytes: float = 6, seconds: float = 15) -> int:
    """Many requests ahead on one connection, whose answers are read, for some seconds; how many were answered."""
    request = b"GET /how-it-counts HTTP/1.1\r\nHost: localhost\r\n\r\n"
    data, until, found = request * int(mebibytes * MIB // len(request)), time.monotonic() + seconds, 0
    with connect(port) as one:
        writer = threading.Thread(target=_send_quietly, args=(one, data))
        writer.start()
        one.settimeout(0.5)
        while time.monotonic() < until:
            with contextlib.suppress(TimeoutError):
                part = one.recv(MIB)
                found += part.count(b"HTTP/1.1 200")
                if not part:
                    break
        one.shutdown(socket.SHUT_RDWR)
        writer.join()
    return found


def _send_quietly(one: socket.socket, data: bytes) -> None:
    with contextlib.suppress(OSError):
        one.sendall(data)


@contextlib.contextmanager
def unread(port: int, connections: int = 20) -> Iterator[None]:
    """Connections with 40 large answers asked for each, of which none is read."""
    asked = b"GET /api/openapi.json HTTP/1.1\r\nHost: localhost\r\n\r\n" * 40
    with contextlib.ExitStack() as stack:
        for _ in range(connections):
            stack.enter_context(connect(port, receive_buffer=4096)).sendall(asked)
        yield


@contextlib.contextmanager
def many_fields(port: int, connections: int = 8) -> Iterator[None]:
    """Log-in forms of 10,500 fields that nobody asked for, on connections that read nothing."""
    body = b"&".join(b"f%d" % number for number in range(10_500))[:64_000]
    head = f"POST /login HTTP/1.1\r\nHost: localhost\r\nContent-Type: {FORM}\r\nContent-Length: {len(body)}\r\n\r\n"
    is_over = threading.Event()

    def post() -> None:
        while not is_over.is_set():
            with connect(port, receive_buffer=4096) as one:
                one.settimeout(1)
                with contextlib.suppress(OSError):
                    one.sendall((head.encode() + body) * 20)
                is_over.wait(1)

    with _running(post, connections, is_over):
        yield


@contextlib.contextmanager
def own_logins(port: int, username: str, password: str, connections: int = 100) -> Iterator[None]:
    """One account's right password, again and again from one address."""
    is_over = threading.Event()

    def post() -> None:
        while not is_over.is_set():
            with contextlib.suppress(OSError):
                log_in(port, username, password, source=HOST)

    with _running(post, connections, is_over):
        yield


@contextlib.contextmanager
def _running(work: Callable[[], None], times: int, is_over: threading.Event) -> Iterator[None]:
    threads = [threading.Thread(target=work) for _ in range(times)]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        is_over.set()
        for thread in threads:
            thread.join()


def forgotten(port: int, addresses: int = 2_400, connections: int = 8) -> list[int]:
    """New passwords for made-up addresses; how each was answered."""

    def ask(number: int) -> int:
        return post(port, "/forgot", {"email": f"nobody-{number}@example.com"}, source=HOST).status

    with ThreadPoolExecutor(connections) as pool:
        return list(pool.map(ask, range(addresses)))


class Told(NamedTuple):
    """An answer, and how long it took."""

    status: int
    body: bytes
    seconds: float

    @property
    def json(self) -> Any:
        """The body as JSON."""
        return json.loads(self.body)


def post(port: int, path: str, fields: dict[str, str], *, source: str = SOMEBODY_ELSE) -> Told:
    """Send a form from this address."""
    return ask(port, "POST", path, urlencode(fields), {"Content-Type": FORM}, source=source)


def log_in(port: int, username: str, password: str, *, source: str = SOMEBODY_ELSE) -> Told:
    """Log in from this address."""
    return post(port, "/login", {"username": username, "password": password}, source=source)


def get(port: int, path: str) -> Told:
    """Somebody else loads a page."""
    return ask(port, "GET", path, None, {}, source=SOMEBODY_ELSE)


def ask(port: int, method: str, path: str, body: str | None, headers: dict[str, str], *, source: str) -> Told:
    """One request on a connection of its own."""
    began = time.monotonic()
    connection = http.client.HTTPConnection(HOST, port, timeout=TIMEOUT_S, source_address=(source, 0))
    with contextlib.closing(connection):
        connection.request(method, path, body, {"Connection": "close", **headers})
        answer = connection.getresponse()
        return Told(answer.status, answer.read(), time.monotonic() - began)
