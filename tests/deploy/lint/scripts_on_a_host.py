"""A folder as on a host that is set up, on which the scripts of deploy/compose run with a stand-in for Docker."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any, NamedTuple

from tests.unit.tree import ROOT

STAND_INS = Path(__file__).parent / "stand_ins"
ONE, TWO = "localhost/vote-app:one", "localhost/vote-app:two"
SERVICES = ("nginx", "web-1", "web-2", "worker-1", "worker-2", "db", "db-replica", "log", "cache", "certbot")
TIMEOUT_S = 60
NOW = 4_000_000_000  # later than every file


class Ended(NamedTuple):
    """How a script ended: its exit code (negative: killed by a signal), and all that it said."""

    code: int
    said: str


class ScriptHost:
    """A host; version `one` is in production, and `one` again is what a rollback would lead to."""

    def __init__(self, folder: Path) -> None:
        self.folder, self._state = folder / "host", folder / "state.json"
        shutil.copytree(ROOT / "deploy", self.folder / "deploy")
        shutil.copy(ROOT / "compose.yaml", self.folder)
        shutil.copy(ROOT / "pyproject.toml", self.folder)
        (folder / "clock").write_text(str(NOW), "utf-8")
        self.programs = folder / "programs"
        self.programs.mkdir()
        self.program(
            "docker", f'exec {sys.executable} -SE {STAND_INS}/docker.py "$@"'
        )  # not by a PATH that asks wrappers
        self.state: dict[str, Any] = {
            "running": {}, "down": [], "never_ready": [], "missed_looks": {}, "failing": [], "calls": [], "serving": [],
        }  # fmt: skip

    def set_up(self) -> "ScriptHost":
        """Everything runs."""
        (self.folder / "secrets").mkdir()
        (self.folder / "secrets/admin-password").write_text("x", "utf-8")
        backup = ONE.replace("vote-app", "vote-app-backup")
        known = {
            "SERVER_NAME": "vote.example.org", "ADMIN_EMAIL": "ops@example.org", "VOTE_IMAGE": ONE, "BACKUP_IMAGE": backup,
            "HTTP_PORT": "28080", "HTTPS_PORT": "28443", "SETUP": "done",
        }  # fmt: skip
        self.env.write_text("".join(f"{name}={value}\n" for name, value in known.items()), "utf-8")
        self.state["running"] = {**dict.fromkeys(SERVICES, ONE), "backup": backup}
        return self

    @property
    def env(self) -> Path:
        return self.folder / ".env"

    def known(self, name: str) -> str:
        lines = [line.split("=", 1) for line in self.env.read_text("utf-8").splitlines()]
        return next((value for key, value in reversed(lines) if key == name), "")

    def program(self, name: str, text: str) -> None:
        """Put a program before all others."""
        (self.programs / name).write_text(f"#!/bin/sh\n{text}\n", "utf-8")
        (self.programs / name).chmod(0o755)

    def start(self, script: str, *arguments: str, stdout: int = subprocess.PIPE, **variables: str) -> Any:
        self.state["calls"], self.state["serving"] = [], []
        self._state.write_text(json.dumps(self.state), "utf-8")
        path = f"{self.programs}:{STAND_INS}:{os.environ['PATH']}"
        return subprocess.Popen(
            ["sh", "-c", 'echo $$ >"$0" && exec "$@"', self._state.parent / "pid", f"deploy/{script}", *arguments],
            cwd=self.folder,
            env={**os.environ, "PATH": path, "STAND_IN_STATE": str(self._state), **variables},
            stdin=subprocess.DEVNULL,
            stdout=stdout,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def ended(self, running: Any) -> Ended:
        said, _ = running.communicate(timeout=TIMEOUT_S)
        self.state = json.loads(self._state.read_text("utf-8"))
        return Ended(running.returncode, said or "")

    def run(self, script: str, *arguments: str, **variables: str) -> Ended:
        """Run a script of deploy/ to its end."""
        with self.start(script, *arguments, **variables) as running:
            return self.ended(running)

    @property
    def images(self) -> set[str]:
        """What the parts of vote-app run."""
        return {self.state["running"].get(one, "") for one in ("web-1", "web-2", "worker-1", "worker-2")}

    def somebody_always_served(self) -> bool:
        return all(self.state["serving"]) and self.state["down"] == []
