"""Two webs and two workers on a database and a log, each of which can be replaced by one of another release."""

import contextlib
import json
import subprocess
from collections.abc import Iterator, Mapping
from http.client import HTTPConnection
from pathlib import Path
from urllib.parse import urlsplit

import psycopg

from tests.conftest import environment_of, in_database
from tests.deploy.upgrade.releases import Release
from tests.servers import Pair
from tests.stack import DEADLINE_S, free_port, wait_until
from vote.ops.load import target
from vote.ops.load.target import Target

ROLES = ("vote_web", "vote_worker", "vote_reports", "vote_backup")
LOADED = {"web": "asgi.py", "worker": "worker/loop.py"}  # by which a process shows which code it runs


class Part:
    """A web or a worker. Its process is replaced in place: the same settings, another release."""

    def __init__(self, name: str, settings: Mapping[str, str], folder: Path) -> None:
        self.name, self.kind = name, name.split("-", 1)[0]
        self.port = free_port()
        self._settings = {**settings, "PORT": str(self.port)}
        self._folder, self._starts = folder, 0
        self._release: Release | None = None
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def target(self) -> Target:
        return target.parse(f"http://127.0.0.1:{self.port}")

    def start(self, release: Release) -> None:
        """Start it, and return when it does its work."""
        self._starts += 1
        self._release, self._process = release, release.start(self._settings, self.kind, self._log)
        wait_until(self._is_ready, what=f"{self.name} is ready: {self._log}")
        self.check()

    def stop(self) -> None:
        """SIGTERM, as an operator stops it; fails unless it ends well."""
        assert self._process is not None
        self._process.terminate()
        code = self._process.wait(DEADLINE_S)
        assert code == 0, f"{self.name} ended with {code}: {self._written[-3000:]}"

    def end(self) -> None:
        """End it, however it stands."""
        if self._process is not None and self._process.poll() is None:
            self._process.terminate()
            try:
                self._process.wait(DEADLINE_S)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()

    def check(self) -> None:
        """Fail unless it runs the code of its release."""
        assert self._process is not None
        assert self._release is not None
        self._release.check_process(self._process, LOADED[self.kind])

    @property
    def errors(self) -> list[str]:
        """The lines in which any of its processes told of an error."""
        texts = [path.read_text("utf-8") for path in sorted(self._folder.glob(f"{self.name}.*.log"))]
        lines = [line for text in texts for line in text.splitlines()]
        return [
            line for line in lines if not line.startswith("{") or json.loads(line)["level"] in ("error", "critical")
        ]

    @property
    def _log(self) -> Path:
        return self._folder / f"{self.name}.{self._starts}.log"

    @property
    def _written(self) -> str:
        return self._log.read_text("utf-8")

    def _is_ready(self) -> bool:
        assert self._process is not None
        assert self._process.poll() is None, f"{self.name} has ended: {self._written[-3000:]}"
        if self.kind == "worker":
            return '"event": "started"' in self._written
        with contextlib.suppress(OSError), contextlib.closing(HTTPConnection("127.0.0.1", self.port, timeout=5)) as web:
            web.request("GET", "/ready")
            return web.getresponse().status == 200
        return False


class House:
    """The parts and their stores. `settings` are the owner's, for commands."""

    def __init__(self, servers: Pair, database_url: str, redis_url: str, folder: Path) -> None:
        self.database_url, self.folder = database_url, folder
        common = environment_of(database_url, redis_url, folder) | {
            "WEB_CONCURRENCY": "1",
            "LIMIT_REGISTRATIONS_PER_HOUR": "100000",
        }
        self.settings = dict(common)
        del common["DATABASE_URL"]  # web and worker have the rights of their roles alone, as in production
        name = urlsplit(database_url).path[1:]
        own = {role: in_database(servers.url(role), name) for role in ROLES}
        self.settings["DATABASE_URL_BACKUP"] = own["vote_backup"]
        web = {"DATABASE_URL_WEB": own["vote_web"], "DATABASE_URL_REPORTS": own["vote_reports"]}
        self.webs = [Part(f"web-{number}", common | web, folder) for number in (1, 2)]
        worker = common | {"DATABASE_URL_WORKER": own["vote_worker"]}
        self.workers = [Part(f"worker-{number}", worker, folder) for number in (1, 2)]

    @property
    def parts(self) -> list[Part]:
        return [*self.workers, *self.webs]

    @contextlib.contextmanager
    def running(self, release: Release) -> Iterator["House"]:
        """Start every part in this release; end them all afterwards."""
        try:
            for part in self.parts:
                part.start(release)
            yield self
        finally:
            for part in self.parts:
                part.end()

    @property
    def errors(self) -> list[str]:
        """What any part has logged as an error."""
        return [f"{part.name}: {line}" for part in self.parts for line in part.errors]

    def value(self, query: str) -> int:
        """The only value of a query, as the owner."""
        with psycopg.connect(self.database_url) as owner:
            row = owner.execute(query.encode()).fetchone()
        assert row is not None
        return int(row[0])

    @property
    def recorded(self) -> int:
        """Ballots in the journal."""
        return self.value("SELECT coalesce(sum(recorded), 0)::bigint FROM log_positions")

    @property
    def revision(self) -> str:
        """The number of the newest migration of the database."""
        return f"{self.value('SELECT version_num::int FROM alembic_version'):04}"
