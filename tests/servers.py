"""A PostgreSQL and a Valkey (or Redis) of its own for one test process, which tests may also kill, freeze and restart.

Everything is built on `vote.ops.embedded`, so every test run also tries what `vote up` does.
"""

import contextlib
import os
import shutil
import signal
import subprocess
from pathlib import Path

from vote.ops.account import server_account
from vote.ops.embedded import programs
from vote.ops.embedded.home import ServerRoom, make_room, prepare
from vote.ops.embedded.postgres import SUPERUSER, Postgres
from vote.ops.embedded.programs import Programs, ServerSource
from vote.ops.embedded.stale_servers import servers_in
from vote.ops.embedded.valkey import Valkey
from vote.ops.process import Process
from vote.ops.server_start import start_ready


class Pair:
    """A running PostgreSQL and Valkey. Call it from the main thread: the servers die with the thread that starts them.

    `owner_url` is a role with CREATEROLE and CREATEDB that owns the empty database `vote`; `superuser_url` is for what
    only `postgres` may do. `programs.postgres_bin` has pg_dump, pgbench and the rest.
    """

    def __init__(self, room: ServerRoom, programs: Programs, *, durable: bool) -> None:
        self.room, self.programs = room, programs
        self._postgres = Postgres(room, programs, durable=durable)
        self._valkey = Valkey(room, programs)
        self._database, self._log = Process(self._postgres.part()), Process(self._valkey.part())

    @property
    def owner_url(self) -> str:
        return self._postgres.url("vote_owner")

    @property
    def superuser_url(self) -> str:
        return self._postgres.url(SUPERUSER)

    @property
    def redis_url(self) -> str:
        return self._valkey.url

    def url(self, role: str, database: str = "vote") -> str:
        """The URL of a role that `let_in` gave a password."""
        return self._postgres.url(role, database)

    def let_in(self, *roles: str) -> None:
        """Give roles made by the migrations LOGIN and the password of `url(role)`, as `vote up` does."""
        self._postgres.let_in(roles)

    def kill_database(self) -> None:
        """`kill -9` of the postmaster."""
        self.thaw_database()
        self._database.kill()

    def stop_database(self) -> None:
        """An orderly end, sessions cut."""
        self._database.stop()

    def restart_database(self) -> None:
        """Kill it when it still runs, start it, and return when it answers."""
        self.kill_database()
        start_ready(self._database)

    def freeze_database(self) -> None:
        """Stop all its processes in time: connections stay open and nobody answers."""
        _signal_all(self._postgres.data, signal.SIGSTOP)

    def thaw_database(self) -> None:
        _signal_all(self._postgres.data, signal.SIGCONT)

    def kill_log(self) -> None:
        """`kill -9` of Valkey."""
        self._log.kill()

    def restart_log(self) -> None:
        """Kill it when it still runs, start it on the same data, and return when it answers."""
        self.kill_log()
        start_ready(self._log)

    def lose_log(self) -> None:
        """Start Valkey again with nothing in it: the disk of the log is gone."""
        self.kill_log()
        shutil.rmtree(self._valkey.data)
        self.restart_log()

    def copy_log(self, to: Path) -> None:
        """Copy the log's files, owners and all, as a snapshot of its disk does; it goes on running."""
        subprocess.run(["cp", "-a", str(self._valkey.data), str(to)], check=True)

    def set_log_back(self, copy: Path) -> None:
        """Start Valkey again with its disk as it was when it was copied."""
        self.kill_log()
        shutil.rmtree(self._valkey.data)
        subprocess.run(["cp", "-a", str(copy), str(self._valkey.data)], check=True)
        self.restart_log()

    def freeze_log(self) -> None:
        """Stop Valkey in time: connections stay open and nobody answers."""
        self._log.send(signal.SIGSTOP)

    def thaw_log(self) -> None:
        self._log.send(signal.SIGCONT)

    @property
    def log_data(self) -> Path:
        """Where Valkey keeps its files."""
        return self._valkey.data

    @property
    def written(self) -> str:
        """All that the servers of this test process have written to their logs."""
        return "".join(path.read_text("utf-8", "replace") for path in sorted(self.room.home.logs.glob("*.log")))

    @property
    def database_pid(self) -> int:
        return self._database.pid

    @property
    def log_pid(self) -> int:
        return self._log.pid

    def start(self) -> None:
        self.restart_log()
        self.restart_database()
        self._postgres.provide()

    def stop(self) -> None:
        """End both and delete their data: for root it does not lie under the folder of the test."""
        self.thaw_log()
        self._log.kill()
        self.kill_database()
        shutil.rmtree(self.room.data)
        shutil.rmtree(self.room.sockets, ignore_errors=True)


def start_pair(server_source: ServerSource, folder: Path, *, durable: bool = False) -> Pair:
    """Start an empty pair in `folder`; servers of an earlier test that was killed there are ended first.

    `durable=False` turns PostgreSQL's fsync off: a crash of the server loses nothing, a crash of the machine would.
    """
    account = server_account()
    pair = Pair(make_room(prepare(folder), account), programs.find(server_source, account), durable=durable)
    pair.start()
    return pair


def start_log(server_source: ServerSource, folder: Path) -> Pair:
    """The log of an empty pair in `folder`; its PostgreSQL is never started."""
    account = server_account()
    pair = Pair(make_room(prepare(folder), account), programs.find(server_source, account), durable=True)
    pair.restart_log()
    return pair


def _signal_all(data: Path, number: signal.Signals) -> None:
    for pid in servers_in(data):
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, number)
