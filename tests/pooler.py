"""A PgBouncer of its own, run with the shipped configuration: only its places, and the size of its pool, are others."""

import re
import shutil
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import psycopg

from tests.servers import Pair
from tests.stack import free_port
from vote.ops.account import server_account
from vote.ops.embedded.home import make_room, prepare
from vote.ops.embedded.programs import server_environ
from vote.ops.process import Process, ProcessSpec
from vote.ops.server_start import start_ready

SHIPPED = Path(__file__).parents[1] / "deploy" / "pgbouncer" / "pgbouncer.ini"
LOGINS = ("vote_web", "vote_reports")


def program() -> str | None:
    """Where PgBouncer is; Debian puts it where only root looks."""
    return shutil.which("pgbouncer") or shutil.which("pgbouncer", path="/usr/sbin")


class Pooler:
    """PgBouncer before the database `name` of `servers`, with `size` connections to it for each login."""

    def __init__(self, servers: Pair, name: str, folder: Path, *, size: int) -> None:
        self._servers, self.size, self.port = servers, size, free_port()
        self._room = make_room(prepare(folder), server_account())
        servers.let_in(*LOGINS)
        self._logins = self._put("userlist.txt", self._verifiers())
        self._process = Process(self._part(self._put("pgbouncer.ini", self._configuration(name))))

    def _verifiers(self) -> str:
        """What deploy/pgbouncer/README.md makes of pg_authid."""
        with psycopg.connect(self._servers.superuser_url) as connection:
            rows = connection.execute(
                'SELECT format(\'"%%s" "%%s"\', rolname, rolpassword) FROM pg_authid WHERE rolname = ANY(%s)',
                (list(LOGINS),),
            ).fetchall()
        return "".join(f"{row[0]}\n" for row in rows)

    def _configuration(self, name: str) -> str:
        server = parse_qs(urlsplit(self._servers.owner_url).query)
        text, replaced = re.subn(
            r"^vote = host=\S+ port=\d+ dbname=vote ",
            f"vote = host={server['host'][0]} port={server['port'][0]} dbname={name} ",
            SHIPPED.read_text("utf-8"),
            flags=re.MULTILINE,
        )
        assert replaced == 1
        places = {
            "listen_port": self.port,
            "auth_file": self._logins,
            "default_pool_size": self.size,
            "logfile": self._room.data / "pgbouncer.log",
            "pidfile": self._room.data / "pgbouncer.pid",
        }
        for setting, value in places.items():
            text, replaced = re.subn(rf"^{setting} = .*$", f"{setting} = {value}", text, flags=re.MULTILINE)
            assert replaced == 1, setting
        return text

    def _put(self, name: str, text: str) -> Path:
        path = self._room.data / name
        path.write_text(text, "utf-8")
        path.chmod(0o600)
        if self._room.account:
            self._room.account.give(path)
        return path

    def _part(self, configuration: Path) -> ProcessSpec:
        return ProcessSpec(
            name="pgbouncer",
            command=[program() or "pgbouncer", "--quiet", str(configuration)],
            environ=server_environ(),
            account=self._room.account,
            folder=self._room.data,
            log=self._room.home.logs / "pgbouncer.log",
            is_ready=lambda: psycopg.pq.PGconn.ping(self._address.encode()) == psycopg.pq.Ping.OK,
        )

    @property
    def _address(self) -> str:
        return f"postgresql://127.0.0.1:{self.port}/vote"

    def url(self, role: str) -> str:
        """The URL of a login, through the pooler."""
        return self._address.replace("//", f"//{role}:{urlsplit(self._servers.url(role)).password}@")

    def start(self) -> None:
        """Return when it answers."""
        start_ready(self._process)

    def stop(self) -> None:
        """End it, and take its files away."""
        self._process.stop()
        shutil.rmtree(self._room.data)
