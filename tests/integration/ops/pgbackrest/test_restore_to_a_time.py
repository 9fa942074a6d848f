"""The shipped pgBackRest configuration, with only its places replaced: back up, go on, restore to a time."""

import re
import shutil
import signal
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import psycopg
import pytest

from vote.ops.account import credentials, server_account
from vote.ops.embedded import programs
from vote.ops.embedded.home import ServerRoom, make_room, prepare
from vote.ops.embedded.postgres import SUPERUSER, Postgres
from vote.ops.process import Process, ProcessSpec
from vote.ops.server_start import start_ready

SHIPPED = Path(__file__).parents[4] / "deploy" / "pgbackrest"
Run = Callable[..., str]


@pytest.fixture
def room(tmp_path: Path) -> Iterator[ServerRoom]:
    """A room for a server of its own."""
    made = make_room(prepare(tmp_path / "home"), server_account())
    yield made
    shutil.rmtree(made.data, ignore_errors=True)


@pytest.fixture
def postgres(room: ServerRoom) -> Postgres:
    """Debian's PostgreSQL 15."""
    found = programs.find("system", room.account)
    return Postgres(room, replace(found, postgres_bin=Path("/usr/lib/postgresql/15/bin")))


@pytest.fixture
def config(room: ServerRoom, postgres: Postgres) -> Path:
    """The shipped configuration, and a passphrase in a file of its own as it says."""
    places = {
        "repo1-path": room.data / "repository",
        "log-path": room.data / "log",
        "lock-path": room.data / "lock-files",
        "pg1-path": postgres.data,
        "pg1-socket-path": room.sockets,
    }
    text = (SHIPPED / "pgbackrest.conf").read_text()
    for name, place in places.items():
        text, replaced = re.subn(rf"^{name}=.*$", f"{name}={place}", text, flags=re.MULTILINE)
        assert replaced == 1, name
    folder = room.data / "pgbackrest"
    (folder / "conf.d").mkdir(parents=True)
    (room.data / "log").mkdir()
    (folder / "pgbackrest.conf").write_text(text)
    (folder / "conf.d" / "cipher.conf").write_text("[global]\nrepo1-cipher-pass=only-for-this-test\n")
    for path in (room.data / "log", folder, *folder.rglob("*")):
        if room.account:
            room.account.give(path)
    return folder


@pytest.fixture
def pgbackrest(room: ServerRoom, config: Path, postgres: Postgres) -> Run:
    """Runs pgbackrest as the server's account."""

    def run(*words: str) -> str:
        command = ["pgbackrest", f"--config-path={config}", "--stanza=vote", *words]
        password = (room.home.secrets / "postgres-postgres").read_text().strip()
        done = subprocess.run(
            command,
            cwd="/",
            env={"PATH": "/usr/bin:/bin", "PGPASSWORD": password},
            capture_output=True,
            text=True,
            check=False,
            **credentials(room.account),
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    return run


def archiving(part: ProcessSpec, config: Path) -> ProcessSpec:
    """The server with the shipped settings; the program is told where its configuration lies."""
    shipped = dict(re.findall(r"^(\w+) = '?(.*?)'?$", (SHIPPED / "postgresql.conf").read_text(), re.MULTILINE))
    command = shipped["archive_command"].replace("pgbackrest ", f"pgbackrest --config-path={config} ", 1)
    settings = shipped | {"archive_command": command}
    options = [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
    return replace(part, command=[*part.command, *options])


def test_restore_to_a_time(room: ServerRoom, postgres: Postgres, config: Path, pgbackrest: Run) -> None:
    server = Process(archiving(postgres.part(), config))
    start_ready(server)
    url = postgres.url(SUPERUSER, "postgres")
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("CREATE TABLE kept (a int)")
        pgbackrest("stanza-create")
        pgbackrest("check")
        pgbackrest("backup", "--type=full")
        connection.execute("SELECT pg_sleep(1.1)")  # pgBackRest knows the end of a backup to the second
        connection.execute("INSERT INTO kept VALUES (1)")
        when = connection.execute("SELECT clock_timestamp()::text FROM pg_sleep(0.05)").fetchone()
        connection.execute("SELECT pg_sleep(0.05)")
        connection.execute("DROP TABLE kept")
        pgbackrest("check")  # returns when the WAL is in the repository
    assert when is not None
    server.send(signal.SIGKILL)
    server.kill()
    for path in postgres.data.iterdir():
        shutil.rmtree(path) if path.is_dir() else path.unlink()

    pgbackrest("restore", "--type=time", f"--target={when[0]}", "--target-action=promote")

    restored = Process(archiving(postgres.part(), config))
    start_ready(restored)
    with psycopg.connect(url, autocommit=True) as connection:
        assert connection.execute("SELECT a FROM kept").fetchall() == [(1,)]
    assert "status: ok" in pgbackrest("info")
    restored.stop()


def test_the_shipped_configuration_is_synchronous_and_says_what_its_cipher_lacks() -> None:
    text = (SHIPPED / "pgbackrest.conf").read_text()

    assert "archive-async=n" in text
    assert "does not authenticate" in text
