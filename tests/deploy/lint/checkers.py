"""The checkers of `make deploy-lint`: each returns what it finds, one line a finding, and raises when it did not look."""

import json
import os
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[3]
PROGRAMS = ROOT / ".venv-lint" / "bin"
SYSTEM_PATH = f"{os.environ['PATH']}:/usr/sbin"  # where Debian has nginx
TIMEOUT_S = 120  # for one call; the slowest, checkov, takes 4 s on an idle machine


class NotChecked(Exception):
    """A checker that is missing, or that ended without a verdict."""


def tree(*patterns: str) -> list[Path]:
    """Return the files of the project that git knows or would add. Patterns are git's (`**/*.sh`)."""
    command = [
        "git",
        "-c",
        "safe.directory=*",
        "ls-files",
        "--cached",
        "--others",
        "--exclude-standard",
        "-z",
        "--",
        *patterns,
    ]
    names = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout.split("\0")
    return [path for name in sorted(set(names)) if name and (path := ROOT / name).is_file()]


def call(*command: str | Path, folder: Path = ROOT) -> tuple[int, str]:
    """Run a program. Return its exit code and all it says. Raises NotChecked when it is not there."""
    program = shutil.which(str(command[0]), path=f"{PROGRAMS}:{SYSTEM_PATH}")
    if program is None:
        raise NotChecked(f"{command[0]} is missing: make deploy-lint installs it.")
    done = subprocess.run(
        [program, *map(str, command[1:])],
        cwd=folder,
        env={**os.environ, "PATH": SYSTEM_PATH, "NO_COLOR": "1"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        check=False,
    )
    return done.returncode, done.stdout if done.stdout.strip() else done.stderr


def hadolint(paths: Sequence[Path]) -> list[str]:
    """Return findings of all levels, as `<file>:<line> <rule> <message>`."""
    code, said = call("hadolint", "--no-color", "--format", "json", *paths)
    return [f"{one['file']}:{one['line']} {one['code']} {one['message']}" for one in _json(code, said, expected=(0, 1))]


def checkov(folder: Path, *, framework: str, skips: dict[str, str]) -> list[str]:
    """Return failed checks of a folder, as `<file> <check> <name>`. `skips` is check to reason."""
    options = ["--quiet", "--compact", "--skip-download", "--output", "json", "--framework", framework]
    options += ["--skip-check", ",".join(skips)] if skips else []
    code, said = call("checkov", *options, "--directory", folder, folder=folder)
    report = _json(code, said, expected=(0, 1))
    summary = report.get("summary", report)
    if not summary.get("passed", 0) + summary.get("failed", 0) or summary.get("parsing_errors", 0):
        raise NotChecked(f"checkov read nothing: {said[:300]}")
    failed = report["results"]["failed_checks"]
    return [f"{one['file_path']}:{one['file_line_range'][0]} {one['check_id']} {one['check_name']}" for one in failed]


def compose(path: Path, variables: Path, *over: Path) -> list[str]:
    """Return what Docker Compose says of a file, those laid over it and the variables of an `.env`; all profiles are on."""
    options = [part for file in (path, *over) for part in ("--file", file)]
    code, said = call("docker-compose", *options, "--env-file", variables, "--profile", "*", "config", "--quiet")
    return said.splitlines() if code or said.strip() else []


def nginx(path: Path) -> list[str]:
    """Return what `nginx -t` says of a main file; nothing is started, its warnings count."""
    code, said = call("nginx", "-t", "-q", "-p", path.parent, "-c", path, "-e", "stderr", folder=path.parent)
    return said.splitlines() if code or said.strip() else []


def gixy(path: Path, *, skips: dict[str, str]) -> list[str]:
    """Return findings of all levels in a main file and what it includes, as `<rule> <summary>: <reason>`."""
    options = ["--format", "json", *(["--skips", ",".join(skips)] if skips else [])]
    code, said = call("gixy", *options, path, folder=path.parent)
    return [f"{one['plugin']} {one['summary']}: {one['reason']}" for one in _json(code, said, expected=(0, 1))]


def actionlint(paths: Sequence[Path]) -> list[str]:
    """Return findings in workflows, shellcheck's in their scripts included, one line each."""
    code, said = call("actionlint", "-no-color", "-oneline", "-pyflakes=", *paths)
    if code not in (0, 1):
        raise NotChecked(f"actionlint ended with {code}: {said[:300]}")
    return said.splitlines()


def zizmor(folder: Path) -> list[str]:
    """Return findings in the workflows of a folder, as `<file> <rule> <description>`; it asks nobody over the network."""
    options = ["--offline", "--no-progress", "--no-exit-codes", "--persona", "pedantic", "--format", "json"]
    code, said = call("zizmor", *options, "--collect=all", folder, folder=folder)
    found = _json(code, said, expected=(0,))
    return [f"{_place(one['locations'][0])} {one['ident']} {one['desc']}" for one in found]


def _place(location: dict[str, Any]) -> str:
    path = location["symbolic"]["key"]["Local"]["verbatim_path"]
    return f"{Path(path).name}:{location['concrete']['location']['start_point']['row'] + 1}"


def shellcheck(paths: Sequence[Path]) -> list[str]:
    """Return findings of all levels, as `<file>:<line>:<column>: <message> [<rule>]`."""
    code, said = call("shellcheck", "--format", "gcc", "--external-sources", *paths)
    if code not in (0, 1):
        raise NotChecked(f"shellcheck ended with {code}: {said[:300]}")
    return said.splitlines()


def squawk(paths: Sequence[Path], *, skips: dict[str, str], in_transaction: bool) -> list[str]:
    """Return findings in SQL files, as `<file>:<line> <rule> <message>`. `skips` is rule to reason."""
    options = ["--pg-version", "15", "--reporter", "json", *[part for rule in skips for part in ("--exclude", rule)]]
    options += ["--assume-in-transaction"] if in_transaction else []
    code, said = call("squawk", *options, *paths)
    found = _json(code, said, expected=(0, 1))
    return [f"{one['file']}:{one['line'] + 1} {one['rule_name']} {one['message']}" for one in found]


def _json(code: int, said: str, *, expected: tuple[int, ...]) -> Any:
    if code not in expected:
        raise NotChecked(f"exit code {code}: {said[:2000]}")
    try:
        return json.loads(said or "[]")
    except ValueError as error:
        raise NotChecked(f"no verdict: {said[:2000]}") from error
