"""The code of a release in a folder of its own, with what runs it; and migrations that a test adds to it."""

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import NamedTuple

import psutil

from tests.unit.tree import ROOT
from vote.ops.process import die_with_parent

MIGRATIONS = "vote/db/migrations"
INSTALL_S = 300
COMMAND_S = 120
REVISION = """from vote.db.migrations.plain_sql import sql_file

revision, down_revision = {number!r}, {before!r}
upgrade = sql_file({name!r})
"""


class Release(NamedTuple):
    """A release. `folder` holds its package `vote`, `programs` its Python and its command `vote`."""

    name: str
    folder: Path
    programs: Path

    def run(self, settings: Mapping[str, str], *words: str) -> subprocess.CompletedProcess[str]:
        """Run a `vote` command to its end."""
        return self._run(settings, self.programs / "vote", *words)

    def start(self, settings: Mapping[str, str], part: str, log: Path) -> subprocess.Popen[bytes]:
        """Start a part, which ends with this process."""
        with log.open("wb") as output:
            return subprocess.Popen(
                [self.programs / "vote", part],
                cwd=self.folder,
                env=self._environ(settings),
                stdout=output,
                stderr=output,
                preexec_fn=partial(die_with_parent, os.getpid(), signal.SIGKILL),  # noqa: PLW1509
            )

    def check_code(self, settings: Mapping[str, str]) -> None:
        """Fail unless both the command and `python -m` import `vote` from this folder."""
        where = "import vote.ops.cli as code; print(code.__file__)"
        for words in (("-c", where), ("-P", "-c", where)):  # with the working folder before all, and without
            said = self._run(settings, self.programs / "python", *words)
            assert said.stdout.strip() == str(self.folder / "vote/ops/cli.py"), said.stdout + said.stderr

    def check_process(self, process: subprocess.Popen[bytes], module: str) -> None:
        """Fail unless a part runs, and has loaded `module` from this folder: Python has then compiled it there."""
        assert process.poll() is None, f"it has ended with {process.returncode}"
        inside = psutil.Process(process.pid)
        assert (Path(inside.cwd()), inside.environ()["PYTHONPATH"]) == (self.folder, str(self.folder))
        source = self.folder / "vote" / module
        assert list((source.parent / "__pycache__").glob(f"{source.stem}.*.pyc")), f"{source} was not loaded"

    @property
    def migrations(self) -> dict[str, bytes]:
        """The SQL of its migrations, by file."""
        return {path.name: path.read_bytes() for path in sorted((self.folder / MIGRATIONS).glob("*.sql"))}

    @property
    def newest(self) -> str:
        """The number of its newest migration."""
        return max(name[:4] for name in self.migrations)

    def add_migration(self, subject: str, sql: str) -> None:
        """Add a migration behind the newest one."""
        before = self.newest
        number = f"{int(before) + 1:04}"
        name, folder = f"{number}_{subject}", self.folder / MIGRATIONS
        (folder / f"{name}.sql").write_text(sql, "utf-8")
        text = REVISION.format(number=number, before=before, name=f"{name}.sql")
        (folder / "versions" / f"{name}.py").write_text(text, "utf-8")

    def _run(self, settings: Mapping[str, str], *command: str | Path) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            command,
            cwd=self.folder,
            env=self._environ(settings),
            capture_output=True,
            text=True,
            check=False,
            timeout=COMMAND_S,
        )

    def _environ(self, settings: Mapping[str, str]) -> dict[str, str]:
        return {**settings, "PYTHONPATH": str(self.folder)}


def installed(folder: Path) -> Release:
    """The release whose files are in a folder, in an environment of its own, made by its own Makefile from its own lock."""
    environ = {
        name: value for name, value in os.environ.items() if not name.startswith(("MAKE", "MFLAGS", "PYTHONPATH"))
    }
    python = Path(sys.base_prefix) / "bin" / f"python{sys.version_info.major}.{sys.version_info.minor}"
    done = subprocess.run(
        ["make", f"PYTHON={python}", ".venv/.runtime"],
        cwd=folder,
        env=environ,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
        timeout=INSTALL_S,
    )
    assert done.returncode == 0, done.stdout[-3000:]
    return Release("the release before", folder, folder / ".venv/bin")


def of_this_tree(folder: Path) -> Release:
    """A copy of the code of this tree, in the environment of the tests."""
    shutil.copytree(ROOT / "vote", folder / "vote", ignore=shutil.ignore_patterns("__pycache__"))
    return Release("this release", folder, Path(sys.executable).parent)
