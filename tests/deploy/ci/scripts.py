"""Calls a script of deploy/ci as a workflow does: with variables, and nothing else."""

import os
import subprocess
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[3]
STAND_INS = Path(__file__).parent / "stand_ins"
TIMEOUT_S = 120
KEPT = ("PATH", "HOME", "LANG", "TMPDIR")


def script(name: str) -> Path:
    """Return the path of a script of deploy/ci."""
    return ROOT / "deploy" / "ci" / name


class Ended(NamedTuple):
    """How a script ended: its exit code, all that it said, and what it gave to the next steps."""

    code: int
    said: str
    outputs: dict[str, str]


def environ(variables: dict[str, str], *stand_ins: str) -> dict[str, str]:
    """Return the environment of a script: the variables, and a PATH on which the stand-ins come first."""
    kept = {name: os.environ[name] for name in KEPT if name in os.environ}
    for name in stand_ins:
        assert (STAND_INS / name).is_file(), name
    path = f"{STAND_INS}:{os.environ['PATH']}" if stand_ins else os.environ["PATH"]
    return {**kept, "PATH": path, **variables}


def call(name: str, folder: Path, variables: dict[str, str], *arguments: str, stand_ins: tuple[str, ...] = ()) -> Ended:
    """Run a script to its end."""
    outputs = folder / "outputs"
    outputs.write_text("", "utf-8")
    done = subprocess.run(
        [script(name), *arguments],
        env=environ({"GITHUB_OUTPUT": str(outputs), **variables}, *stand_ins),
        cwd="/",
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=TIMEOUT_S,
        check=False,
    )
    given = dict(line.split("=", 1) for line in outputs.read_text("utf-8").splitlines())
    return Ended(done.returncode, done.stdout, given)
