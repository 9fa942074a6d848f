"""Run a server on restored data until it has recovered to a target, on a private socket."""

import contextlib
import re
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple
from urllib.parse import quote

import psycopg
from psycopg import OperationalError

from vote.config import DatabaseTarget
from vote.db import cluster
from vote.errors import BackupUnusable
from vote.ops.account import SystemUser
from vote.ops.backup import pg_clients
from vote.ops.backup.manifest import Manifest
from vote.ops.embedded.programs import server_environ
from vote.ops.process import Process, ProcessSpec

PORT = 5432  # only a part of the socket's name
DEADLINE_S = 6 * 3600.0
LIMIT = re.compile(r"^(max_\w+) setting:\s+(\d+)", re.MULTILINE)


class Recovered(NamedTuple):
    """A running server on restored data; read-only while its recovery is paused at the target."""

    process: Process
    target: DatabaseTarget


@contextlib.contextmanager
def recovered(
    data: Path, room: Path, manifest: Manifest, account: SystemUser | None, timeline: int, goal: Mapping[str, str]
) -> Iterator[Recovered]:
    """Yield a server, run by `account`, that has recovered `data` with the WAL in `room` to `goal` (settings of PostgreSQL);
    stop it afterwards.

    Raises BackupUnusable with the server's message when it does not get there.
    """
    programs, log = pg_clients.bin_of(manifest.server_major), room / "postgres.log"
    with tempfile.TemporaryDirectory(prefix="vote-") as sockets:
        hba = room / "hba"
        hba.write_text("local all all trust\n")  # the folder of the socket is private
        (data / "recovery.signal").touch(mode=0o600)
        if account:
            for folder in (Path(sockets), room, data):
                for path in (folder, *folder.rglob("*")):
                    account.give(path)
        settings = {
            "config_file": "/dev/null",
            "hba_file": str(hba),
            "listen_addresses": "",
            "port": str(PORT),
            "unix_socket_directories": sockets,
            "restore_command": f'cp "{room}/wal/%f" "%p"',
            "recovery_target_timeline": str(timeline),
            "hot_standby": "on",
            "archive_mode": "off",
            "synchronous_standby_names": "",
            "shared_preload_libraries": "",
            **_limits(programs, data),
            **goal,
        }
        options = [argument for name, value in settings.items() for argument in ("-c", f"{name}={value}")]
        process = Process(
            ProcessSpec(
                name="postgres",
                command=[str(programs / "postgres"), "-D", str(data), *options],
                environ=server_environ(),
                stop_signal=signal.SIGINT,
                orphan_signal=signal.SIGQUIT,
                grace_s=120,
                account=account,
                folder=data.parent,
                log=log,
            )
        )
        url = f"postgresql://{quote(manifest.role, safe='')}@/{quote(manifest.database, safe='')}"
        server = Recovered(process, DatabaseTarget(f"{url}?host={quote(sockets)}&port={PORT}", None))
        try:
            process.start()
            _wait(server, log, pauses=goal["recovery_target_action"] == "pause")
            yield server
        finally:
            process.stop()


def _limits(programs: Path, data: Path) -> dict[str, str]:
    """Return the settings for which a hot standby needs at least the values of the server that wrote the WAL."""
    command = [str(programs / "pg_controldata"), str(data)]
    output = subprocess.run(command, capture_output=True, text=True, env=server_environ(), check=True).stdout
    return {name.replace("_xact", "_transaction"): value for name, value in LIMIT.findall(output)}


def _wait(server: Recovered, log: Path, *, pauses: bool) -> None:
    deadline = time.monotonic() + DEADLINE_S
    while True:
        if not server.process.is_alive():
            raise BackupUnusable(f"The restored server did not recover: {_last_error(log)}")
        with contextlib.suppress(OperationalError), psycopg.connect(server.target.url, connect_timeout=5) as connection:
            in_recovery, paused = cluster.recovery_state(connection)
            if paused if pauses else not in_recovery:
                return
        if time.monotonic() > deadline:
            raise BackupUnusable(f"The restored server did not finish recovering in time. See its log: {log}")
        time.sleep(0.1)


def _last_error(log: Path) -> str:
    lines = log.read_text("utf-8", errors="replace").splitlines() if log.exists() else []
    fatal = [line.split("FATAL:")[1].strip() for line in lines if "FATAL:" in line and "starting up" not in line]
    return fatal[-1] if fatal else f"its log {log} ends: {' / '.join(lines[-3:])}"
