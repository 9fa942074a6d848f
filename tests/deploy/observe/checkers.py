"""The checkers of `make observe-lint`: each returns what it finds, one line a finding, and raises when it did not look."""

import os
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

from tests.deploy.lint.checkers import ROOT, NotChecked

PROMETHEUS = ROOT / "deploy" / "prometheus"
ALERTMANAGER = ROOT / "deploy" / "alertmanager"
TIMEOUT_S = 120  # for one call; the slowest takes a few seconds on an idle machine


def program(*names: str) -> str:
    """Return the path of a program, by the first of its names. Raises NotChecked when it is not there."""
    found = next(filter(None, map(shutil.which, names)), None)
    if found is None:
        raise NotChecked(f"{names[0]} is missing: make observe-lint installs it.")
    return found


def promtool_config(path: Path) -> list[str]:
    """Return what `promtool check config` says of a Prometheus file, its rules and its files of targets."""
    return _findings("promtool", "check", "config", "--lint=all", "--lint-fatal", path)


def promtool_rules(paths: Sequence[Path]) -> list[str]:
    """Return what `promtool check rules` says of rule files, duplicates included."""
    return _findings("promtool", "check", "rules", "--lint=all", "--lint-fatal", *paths)


def promtool_cases(path: Path) -> list[str]:
    """Return the cases of a file of unit tests that fail. Raises NotChecked when a file cannot be read."""
    findings = _findings("promtool", "test", "rules", path)
    if findings and not any(line.strip().startswith("alertname:") for line in findings):
        raise NotChecked("\n".join(findings)[:2000])
    return findings


def amtool_config(path: Path) -> list[str]:
    """Return what `amtool check-config` says of an Alertmanager file."""
    return _findings("amtool", "check-config", path)


def amtool_receivers(path: Path, labels: dict[str, str]) -> list[str]:
    """Return the receivers that `amtool config routes test` finds for the labels of an alert."""
    pairs = [f"{name}={value}" for name, value in labels.items()]
    code, said = _call("amtool", "config", "routes", "test", f"--config.file={path}", *pairs)
    if code:
        raise NotChecked(f"amtool ended with {code}: {said[:300]}")
    return said.strip().splitlines()[-1].split(",")  # after a warning that it asks no running one


def _findings(name: str, *arguments: str | Path) -> list[str]:
    code, said = _call(name, *arguments)
    if code and not said.strip():
        raise NotChecked(f"{name} ended with {code} and said nothing")
    return said.splitlines() if code else []


def _call(name: str, *arguments: str | Path) -> tuple[int, str]:
    done = subprocess.run(
        [program(name), *map(str, arguments)],
        env={**os.environ, "NO_COLOR": "1", "GOMAXPROCS": "1", "GOGC": "400"},  # many short calls at a time
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=TIMEOUT_S,
        check=False,
    )
    return done.returncode, done.stdout
