"""An installation with a database worth backing up, whose servers a test may destroy."""

import json
import os
import shutil
import subprocess
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import psycopg
import pytest
from click.testing import CliRunner

from tests.conftest import FLASK_SECRET, JWT_SECRET, PASSWORD_HASH
from tests.servers import Pair, start_pair
from tests.stack import DEADLINE_S, VOTE, wait_until
from vote import config
from vote.config import Settings
from vote.db import migrate
from vote.errors import VoteError
from vote.ops.backup.encryption import kept_recipient
from vote.ops.backup.installed import allow_backups
from vote.ops.backup.stream import Stream
from vote.ops.cli import cli
from vote.ops.embedded.programs import ServerSource


class Installation:
    """Servers in a home of their own, as `vote up` makes them, with accounts and votes in the database."""

    def __init__(self, server_source: ServerSource, folder: Path) -> None:
        self.pair: Pair = start_pair(server_source, folder, durable=True)
        self.home = self.pair.room.home
        migrate.upgrade(self.pair.owner_url)
        self.pair.let_in("vote_backup", "vote_worker", "vote_web")
        allow_backups(self.pair._postgres)
        self.environ = {
            "FLASK_SECRET_KEY": FLASK_SECRET,
            "JWT_SECRET": JWT_SECRET,
            "DATABASE_URL": self.pair.owner_url,
            "DATABASE_URL_BACKUP": self.pair.url("vote_backup"),
            "REDIS_URL": self.pair.redis_url,
            "VOTE_HOME": str(self.home.path),
            "BACKUP_RECIPIENT": kept_recipient(self.home),
            "PATH": os.environ["PATH"],
        }

    def fill(self) -> "Installation":
        """A competition, and accounts with votes."""
        self.sql("INSERT INTO log_positions (shard, epoch) SELECT n, 'e' FROM generate_series(0, 7) n")
        self.open_competition()
        self.register("before", 300)
        return self

    def open_competition(self) -> int:
        """The first competition. In one statement: a worker that saw it without its options would announce it so."""
        ((competition,),) = self.sql(
            "WITH new AS (INSERT INTO competitions (name, status, receipt_key, rules_version, opened_at)"
            " VALUES ('Which stage?', 'open', sha256('k'), 1, now()) RETURNING id),"
            " options AS (INSERT INTO options (competition_id, key, label)"
            " SELECT id, key, label FROM new, (VALUES ('a', 'River'), ('b', 'Hall')) AS of (key, label))"
            " SELECT id FROM new"
        )
        return int(competition)

    @property
    def settings(self) -> Settings:
        return config.load(self.environ)

    @property
    def backups(self) -> Path:
        return self.home.path / "backups"

    @property
    def data(self) -> Path:
        return self.pair.room.data / "postgres"

    def sql(self, statement: str, *values: Any) -> list[tuple[Any, ...]]:
        with psycopg.connect(self.pair.owner_url, autocommit=True) as owner:
            done = owner.execute(statement, values)  # type: ignore[call-overload]
            return list(done.fetchall()) if done.description else []

    def register(self, name: str, count: int) -> None:
        """New accounts, each with a vote."""
        self.sql(
            "WITH new AS (INSERT INTO users (username, email, password_hash)"
            " SELECT %s || n, %s || n || '@example.com', %s FROM generate_series(1, %s) n RETURNING id)"
            " INSERT INTO votes SELECT 1, id, CASE id %% 2 WHEN 0 THEN 'a' ELSE 'b' END, now() FROM new",
            name,
            name,
            PASSWORD_HASH,
            count,
        )

    def record_ballots(self, count: int) -> None:
        """Rows of the journal of shard 0, as after that many ballots."""
        self.sql(
            "INSERT INTO ballots (id, competition_id, user_id, choice, cast_at, shard, epoch, position, receipt, seq,"
            " digest, chain) SELECT gen_random_uuid(), 1, id, 'a', now(), 0, 'e', n, 'R' || n, n, sha256('d'), sha256('c')"
            " FROM (SELECT id, row_number() OVER (ORDER BY username) AS n FROM users) AS people WHERE n <= %s",
            count,
        )
        self.sql("UPDATE log_positions SET position = %s, recorded = %s WHERE shard = 0", count, count)

    def names(self) -> set[str]:
        return {row[0] for row in self.sql("SELECT username FROM users")}

    def stream(self) -> Stream:
        return Stream(self.settings, lambda _line: None, synchronous=True)

    def run(self, *words: str, **environ: str) -> subprocess.CompletedProcess[str]:
        """A `vote` command on this installation, in this process: starting another takes a second each time."""
        with pytest.MonkeyPatch.context() as patch:
            for name in os.environ:
                patch.delenv(name)
            done = CliRunner().invoke(cli, list(words), env=dict(self.environ | environ))
        told = done.stderr
        if isinstance(done.exception, VoteError):
            told += f"vote: {done.exception.detail}\n"
        elif done.exception is not None and not isinstance(done.exception, SystemExit):
            raise done.exception
        return subprocess.CompletedProcess(list(words), done.exit_code, done.stdout, told)

    def run_apart(self, *words: str) -> subprocess.CompletedProcess[str]:
        """The same in a process of its own."""
        return subprocess.run([*VOTE, *words], env=self.environ, capture_output=True, text=True, check=False, cwd="/")

    def json(self, *words: str, **environ: str) -> Any:
        done = self.run(*words, "--json", **environ)
        assert done.returncode == 0, done.stderr + done.stdout
        return json.loads(done.stdout)

    def json_while(self, stream: Stream, *words: str) -> Any:
        """The same, with somebody looking after the stream meanwhile."""
        with ThreadPoolExecutor(1) as background:
            answer = background.submit(self.run_apart, *words, "--json")
            tend_until(stream, answer.done)
            assert answer.result().returncode == 0, answer.result().stderr
            return json.loads(answer.result().stdout)

    def destroy(self) -> None:
        """kill -9, and the data folder is gone."""
        self.pair.kill_database()
        shutil.rmtree(self.data)

    def verdicts(self) -> dict[str, tuple[Any, str]]:
        return {row[0]: (row[1], row[2]) for row in self.sql("SELECT label, verified_at, verdict FROM backups")}


def tend_until(stream: Stream, condition: Callable[[], bool], *, within: float = DEADLINE_S) -> None:
    """Look after the stream until something is so."""

    def tended() -> bool:
        stream.tend()
        return condition()

    wait_until(tended, within=within)


def files(folder: Path, pattern: str) -> list[Path]:
    return sorted(path for path in folder.rglob(pattern) if path.is_file())


def flip(path: Path, offset: int) -> None:
    """Change one bit."""
    content = bytearray(path.read_bytes())
    content[offset % len(content)] ^= 1 << (offset % 8)
    path.write_bytes(content)


def newest(paths: Iterable[Path]) -> Path:
    return max(paths, key=lambda path: path.name)
