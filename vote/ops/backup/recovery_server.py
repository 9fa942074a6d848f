"""Run a server on restored data until it has recovered to a target, on a private socket."""

import contextlib
import re
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
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
LIMITS = {  # a hot standby needs at least the values of the server that wrote the WAL
    "max_connections": "max_connections setting",
    "max_worker_processes": "max_worker_processes setting",
    "max_wal_senders": "max_wal_senders setting",
    "max_prepared_transactions": "max_prepared_xacts setting",
    "max_locks_per_transaction": "max_locks_per_xact setting",
}


@dataclass(frozen=True)
class Recovered:
    """A running server on restored data; read-only while its recovery is paused at the target."""

    process: Process
    sockets: Path
    manifest: Manifest

    def target(self, role: str | None = None) -> DatabaseTarget:
        """Return where to connect; access is restricted by the socket's folder."""
        user = quote(role or self.manifest.role, safe="")
        return DatabaseTarget(
            f"postgresql://{user}@/{quote(self.manifest.database, safe='')}?host={quote(str(self.sockets))}&port={PORT}",
            None,
        )


@contextlib.contextmanager
def recovered(
    data: Path,
    wal: Path,
    manifest: Manifest,
    account: SystemUser | None,
    log: Path,
    goal: Mapping[str, str],
    timeline: int,
) -> Iterator[Recovered]:
    """Yield a server that has recovered `data` with the WAL in `wal` to `goal` (settings of PostgreSQL); stop it afterwards.

    Raises BackupUnusable with the server's message when it does not get there.
    """
    with tempfile.TemporaryDirectory(prefix="vote-") as folder:
        room = Path(folder)
        (room / "hba").write_text("local all all trust\n")  # the folder is private
        (room / "config").write_text("")
        for path in (room, room / "hba", room / "config"):
            if account:
                account.give(path)
        (data / "recovery.signal").touch(mode=0o600)
        if account:
            account.give(data / "recovery.signal")
        process = Process(_part(data, wal, manifest, account, log, room, goal, timeline))
        try:
            process.start()
            server = Recovered(process, room, manifest)
            _wait(server, log, pauses=goal.get("recovery_target_action") == "pause")
            yield server
        finally:
            process.stop()


def _part(
    data: Path,
    wal: Path,
    manifest: Manifest,
    account: SystemUser | None,
    log: Path,
    room: Path,
    goal: Mapping[str, str],
    timeline: int,
) -> ProcessSpec:
    programs = pg_clients.bin_of(manifest.server_major)
    settings = {
        "config_file": str(room / "config"),
        "hba_file": str(room / "hba"),
        "listen_addresses": "",
        "port": str(PORT),
        "unix_socket_directories": str(room),
        "unix_socket_permissions": "0700",
        "restore_command": f'cp "{wal}/%f" "%p"',
        "recovery_target_timeline": str(timeline),
        "hot_standby": "on",
        "archive_mode": "off",
        "synchronous_standby_names": "",
        "shared_preload_libraries": "",
        "wal_level": "replica",
        "timezone": "UTC",
        "log_timezone": "UTC",
        **_limits(programs, data),
        **goal,
    }
    options = [argument for name, value in settings.items() for argument in ("-c", f"{name}={value}")]
    return ProcessSpec(
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


def _limits(programs: Path, data: Path) -> dict[str, str]:
    command = [str(programs / "pg_controldata"), str(data)]
    output = subprocess.run(command, capture_output=True, text=True, env=server_environ(), check=True).stdout
    matches = {name: re.search(rf"^{label}:\s+(\d+)", output, re.MULTILINE) for name, label in LIMITS.items()}
    return {name: match[1] for name, match in matches.items() if match}


def _wait(server: Recovered, log: Path, *, pauses: bool) -> None:
    deadline = time.monotonic() + DEADLINE_S
    while True:
        if not server.process.is_alive():
            raise BackupUnusable(f"The restored server did not recover: {_last_error(log)}")
        with (
            contextlib.suppress(OperationalError),
            psycopg.connect(server.target().url, connect_timeout=5) as connection,
        ):
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
