"""Runs the tools of `requirements.txt`, which live in an environment of their own (`make security` fills it)."""

import os
import subprocess
from collections.abc import Sequence
from importlib.metadata import distributions
from pathlib import Path

ROOT = Path(__file__).parents[2]
ENVIRONMENT = ROOT / ".venv-security"


class CannotLook(Exception):
    """The tool gave no verdict: it is missing, was cut off, or what it asks is out of reach."""


def run(tool: str, *args: str, within_s: float = 600, folder: Path = ROOT) -> subprocess.CompletedProcess[str]:
    """A tool's end; its exit code is for the caller to read. Raises CannotLook when it is missing or takes too long."""
    program = ENVIRONMENT / "bin" / tool
    if not program.exists():
        raise CannotLook(f"{tool} is not installed: run it by `make security`")
    environ = {**os.environ, "HOME": str(ENVIRONMENT), "NO_COLOR": "1"}
    try:
        return subprocess.run(
            [str(program), *args],
            cwd=folder,
            env=environ,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=within_s,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise CannotLook(f"{tool} did not end within {within_s:g} s") from error


def versions(names: Sequence[str]) -> dict[str, str]:
    """The versions installed for `make security`."""
    found = {
        one.metadata["Name"].lower().replace("_", "-"): one.version
        for one in distributions(path=[str(path) for path in ENVIRONMENT.glob("lib/python*/site-packages")])
    }
    return {name: found.get(name, "missing") for name in names}
