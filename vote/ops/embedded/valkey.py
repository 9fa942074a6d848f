"""Run the embedded Valkey (or Debian's Redis): every write is on disk before it is acknowledged, and none is evicted."""

import contextlib
import os
import socket
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from vote.ops.embedded.disk import sync_names
from vote.ops.embedded.home import ServerRoom
from vote.ops.embedded.programs import Programs, server_environ
from vote.ops.embedded.stale_servers import end_servers_in
from vote.ops.process import ProcessSpec

ANSWER_S = 2

SETTINGS = {
    "port": "0",
    "unixsocketperm": "700",
    "appendonly": "yes",
    "appendfsync": "always",
    "no-appendfsync-on-rewrite": "no",
    "save": "",
    "maxmemory-policy": "noeviction",
}


@dataclass(frozen=True)
class Valkey:
    """The Valkey of a home, for ballot log and cache."""

    room: ServerRoom
    programs: Programs

    @property
    def data(self) -> Path:
        """Return the data folder."""
        return self.room.data / "valkey"

    @property
    def socket(self) -> Path:
        """Return the path of its socket."""
        return self.room.sockets / "valkey"

    @property
    def url(self) -> str:
        """Return the URL with which everything connects; access is restricted by the socket's folder."""
        return f"unix://{quote(str(self.socket), safe='/')}?db=0"

    def part(self) -> ProcessSpec:
        """Return how to run it."""
        own_settings = {"dir": str(self.data), "unixsocket": str(self.socket), "maxmemory": str(_half_of_memory())}
        options = [argument for name, value in (SETTINGS | own_settings).items() for argument in (f"--{name}", value)]
        return ProcessSpec(
            name="valkey",
            command=[str(self.programs.redis_server), *options],
            environ=server_environ(),
            account=self.room.account,
            folder=self.room.data,
            log=self.room.home.logs / "valkey.log",
            prepare=self._prepare,
            is_ready=self.is_ready,
        )

    def is_ready(self) -> bool:
        """Return whether it answers PING; while it loads its data it answers LOADING."""
        with socket.socket(socket.AF_UNIX) as connection, contextlib.suppress(OSError):
            connection.settimeout(ANSWER_S)
            connection.connect(str(self.socket))
            connection.sendall(b"PING\r\n")
            return connection.recv(64).startswith(b"+PONG")
        return False

    def _prepare(self) -> None:
        end_servers_in(self.data)
        if not self.data.exists():
            self.data.mkdir(mode=0o700)
            if self.room.account:
                self.room.account.give(self.data)
            sync_names(self.room.data)


def _half_of_memory() -> int:
    """Return half of the machine's memory in bytes: a full log then answers "out of memory", which loses nothing, before the
    kernel kills the server.
    """
    return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // 2
