"""Create and run the embedded PostgreSQL: one cluster in the home, on a private socket, with a password per role.

Tables and privileges come from the migrations (`vote.db.migrate`); this module only lets roles log in.
"""

import os
import shutil
import signal
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import psycopg
from psycopg import pq

from vote.db import cluster
from vote.errors import ConfigError
from vote.ops.embedded.disk import sync_names
from vote.ops.embedded.home import ServerRoom
from vote.ops.embedded.programs import Programs, server_environ
from vote.ops.embedded.stale_servers import can_look, end_servers_in
from vote.ops.embedded.stored_secrets import kept_secret
from vote.ops.process import Process, ProcessSpec

SUPERUSER = "postgres"
OWNER = "vote_owner"
DATABASE = "vote"
PORT = 5432  # only part of the socket's name

SETTINGS = {
    "listen_addresses": "",
    "port": str(PORT),
    "unix_socket_permissions": "0700",
    "max_connections": "200",
    "wal_level": "replica",
    "log_lock_waits": "on",
    "log_line_prefix": "%m [%p] %u@%d ",
    "log_error_verbosity": "terse",  # the DETAIL of a violated constraint shows the row: a name, an address, a choice
    "timezone": "UTC",
    "log_timezone": "UTC",
}
FAST_AND_FORGETFUL = {"fsync": "off", "full_page_writes": "off"}


@dataclass(frozen=True)
class Postgres:
    """The PostgreSQL of a home. With `durable=False` a crash of the machine may lose data: for tests only."""

    room: ServerRoom
    programs: Programs
    durable: bool = True

    @property
    def data(self) -> Path:
        """Return the data folder."""
        return self.room.data / "postgres"

    def part(self) -> ProcessSpec:
        """Return how to run it. Its first start creates the cluster."""
        settings = SETTINGS | ({} if self.durable else FAST_AND_FORGETFUL)
        settings["unix_socket_directories"] = '"{}"'.format(str(self.room.sockets).replace('"', '""'))
        options = [argument for name, value in settings.items() for argument in ("-c", f"{name}={value}")]
        return ProcessSpec(
            name="postgres",
            command=[str(self.programs.postgres_bin / "postgres"), "-D", str(self.data), *options],
            environ=server_environ(),
            stop_signal=signal.SIGINT,  # "fast": ends sessions, writes a checkpoint
            orphan_signal=signal.SIGQUIT,  # "immediate": its own children end too, the next start recovers
            grace_s=30,
            account=self.room.account,
            folder=self.room.data,
            log=self.room.home.logs / "postgres.log",
            prepare=self._prepare,
            is_ready=self.is_ready,
        )

    def is_ready(self) -> bool:
        """Return whether it accepts connections; checked without logging in."""
        return pq.PGconn.ping(self._conninfo(SUPERUSER, "postgres").encode()) == pq.Ping.OK

    def url(self, role: str, database: str = DATABASE) -> str:
        """Return the URL with which `role` connects; its password is created on first use."""
        return f"postgresql://{role}:{self._password(role)}@/{database}?{self._address()}"

    def provide(self) -> None:
        """Create the owner role and the database if they are missing. Repeating it changes nothing."""
        with psycopg.connect(self.url(SUPERUSER, "postgres"), autocommit=True) as connection:
            cluster.create_owner_and_database(connection, owner=OWNER, database=DATABASE)
            self.let_in([OWNER], connection)

    def let_in(self, roles: Iterable[str], connection: psycopg.Connection | None = None) -> None:
        """Give existing roles LOGIN and their URL's password. Repeating it changes nothing."""
        if connection is None:
            with psycopg.connect(self.url(SUPERUSER, "postgres")) as new:
                return self.let_in(roles, new)
        for role in roles:
            cluster.let_in(connection, role, self._password(role))
        return None

    def _password(self, role: str) -> str:
        return kept_secret(self.room.home.secrets / f"postgres-{role}")

    def _address(self) -> str:
        return f"host={quote(str(self.room.sockets), safe='/')}&port={PORT}"

    def _conninfo(self, role: str, database: str) -> str:
        return f"postgresql://{role}@/{database}?{self._address()}"

    def _prepare(self) -> None:
        end_servers_in(self.data)
        if can_look():
            # No server runs here, so these files are stale, even when the process id is in use again or belongs to an
            # unreaped zombie. PostgreSQL cannot know that and would refuse to start.
            (self.data / "postmaster.pid").unlink(missing_ok=True)
            for stale in self.room.sockets.glob(".s.PGSQL.*"):
                stale.unlink()
        if not self.data.exists():
            self._create()
        cluster_major, major = (self.data / "PG_VERSION").read_text().strip(), str(self.programs.postgres_major())
        if cluster_major != major:
            raise ConfigError(
                f"{self.data} was made by PostgreSQL {cluster_major}, which version {major} cannot use. Start that version"
                " again, or choose another VOTE_HOME."
            )

    def _create(self) -> None:
        new, password = self.data.with_name("postgres.new"), self.room.data / "password"
        shutil.rmtree(new, ignore_errors=True)  # from an interrupted attempt
        password.unlink(missing_ok=True)
        with os.fdopen(os.open(password, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write(self._password(SUPERUSER))
        if self.room.account:
            self.room.account.give(password)
        command = [str(self.programs.postgres_bin / "initdb"), "-D", str(new), "-U", SUPERUSER, f"--pwfile={password}"]
        command += ["--locale=C", "-E", "UTF8", "--auth=scram-sha-256", "--data-checksums"]
        log = self.room.home.logs / "initdb.log"
        initdb = ProcessSpec(
            name="initdb",
            command=command if self.durable else [*command, "--no-sync"],
            environ=server_environ(),
            account=self.room.account,
            folder=self.room.data,
            log=log,
        )
        exit_code = Process(initdb).run_to_end()
        password.unlink()
        if exit_code != 0:
            raise ConfigError(f"initdb failed. See its log: {log}")
        new.rename(self.data)
        sync_names(self.room.data)  # else a crash could restore the old name, which the next start deletes
