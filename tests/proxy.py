"""A TCP proxy before a store that can stop passing bytes without a word, as a firewall does that has forgotten a connection.

Both ends stay connected and acknowledge what they are sent: only deadlines of their own help them.
"""

import contextlib
import socket
import threading
from collections.abc import Iterator
from urllib.parse import quote, urlsplit

from psycopg.conninfo import conninfo_to_dict

Address = str | tuple[str, int]


class _Flow:
    """One connection and its copy behind the proxy."""

    def __init__(self, near: socket.socket, far: socket.socket) -> None:
        self.near, self.far, self.is_silent = near, far, False

    def start(self) -> None:
        for source, sink in ((self.near, self.far), (self.far, self.near)):
            threading.Thread(target=self._pass, args=(source, sink), daemon=True).start()

    def _pass(self, source: socket.socket, sink: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                if not self.is_silent:
                    sink.sendall(data)
        if not self.is_silent:  # the end of one side is news for the other
            self.close()

    def close(self) -> None:
        for end in (self.near, self.far):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
            end.close()


class Proxy:
    """Listens on loopback and passes on to `target`, a unix socket or an address."""

    def __init__(self, target: Address) -> None:
        self._target = target
        self._flows: list[_Flow] = []
        self._is_cut = False
        self._lock = threading.Lock()
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listening.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def silence_open(self) -> None:
        """Pass nothing more on connections that are open now. New ones work."""
        with self._lock:
            for flow in self._flows:
                flow.is_silent = True

    def cut(self) -> None:
        """Pass nothing more, and nothing on new connections either."""
        with self._lock:
            self._is_cut = True
        self.silence_open()

    def heal(self) -> None:
        """New connections work again; those that were silenced stay silent."""
        with self._lock:
            self._is_cut = False

    def close(self) -> None:
        """End everything."""
        self._listening.close()
        with self._lock:
            for flow in self._flows:
                flow.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                near, _ = self._listening.accept()
                self._join(near)

    def _join(self, near: socket.socket) -> None:
        far = socket.socket(socket.AF_UNIX if isinstance(self._target, str) else socket.AF_INET)
        try:
            far.connect(self._target)
        except OSError:  # the store is away: so is what stands before it
            near.close()
            far.close()
            return
        flow = _Flow(near, far)
        with self._lock:
            flow.is_silent = self._is_cut
            self._flows.append(flow)
        flow.start()


@contextlib.contextmanager
def before_postgres(url: str) -> Iterator[tuple[Proxy, str]]:
    """A proxy before the server of this URL, and the URL through it."""
    found = conninfo_to_dict(url)
    host, port = str(found.get("host") or "127.0.0.1"), int(found.get("port") or 5432)
    proxy = Proxy(f"{host}/.s.PGSQL.{port}" if host.startswith("/") else (host, port))
    login = ":".join(quote(str(found[name]), safe="") for name in ("user", "password") if name in found)
    with contextlib.closing(proxy):
        yield proxy, f"postgresql://{login}@127.0.0.1:{proxy.port}/{found['dbname']}"


@contextlib.contextmanager
def before_redis(url: str) -> Iterator[tuple[Proxy, str]]:
    """A proxy before the server of this URL, and the URL through it."""
    parts = urlsplit(url)
    is_socket = parts.scheme == "unix"
    proxy = Proxy(parts.path if is_socket else (str(parts.hostname), parts.port or 6379))
    with contextlib.closing(proxy):
        yield proxy, f"redis://127.0.0.1:{proxy.port}/0"
