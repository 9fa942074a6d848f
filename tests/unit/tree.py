"""The files of the repository itself, for tests that read them."""

import subprocess
import tomllib
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]


def read(path: str) -> str:
    """The text of a file of the repository."""
    return (ROOT / path).read_text(encoding="utf-8")


def git(*arguments: str) -> subprocess.CompletedProcess[str]:
    """A git command on this repository, whoever owns it."""
    command = ["git", "-c", "safe.directory=*", *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)


def tracked(pattern: str = "*") -> list[Path]:
    """Files that git knows and that are there."""
    return [path for name in git("ls-files", "-z", pattern).stdout.split("\0") if (path := ROOT / name).is_file()]


def modules() -> list[Path]:
    """Every Python module of the package."""
    return sorted((ROOT / "vote").rglob("*.py"))


def named(path: Path) -> str:
    """How a failing test names a file."""
    return str(path.relative_to(ROOT))


def pyproject() -> dict[str, Any]:
    """The project's own description."""
    return tomllib.loads(read("pyproject.toml"))
