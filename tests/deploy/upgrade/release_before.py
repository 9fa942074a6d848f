"""Finds the release before this one in the history.

In this order: the commit that UPGRADE_FROM names; the newest tag `v*` of an ancestor of HEAD; where there is no tag, the
newest commit before HEAD that gave the project another version. Not simply the commit before the newest migration: between
two releases a commit may be half of a change and not even start.
"""

import os
import subprocess
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import pytest

PROJECT = "pyproject.toml"
VERSION_LINE = "^version = "
VARIABLE = "UPGRADE_FROM"


class ReleaseBefore(NamedTuple):
    """A commit, and why it is taken for the release before."""

    commit: str
    why: str

    def __str__(self) -> str:
        return f"{self.commit[:10]}, {self.why}"


def find(repository: Path, environ: Mapping[str, str] = os.environ) -> ReleaseBefore:
    """Return the release before HEAD. Fails the test, with what to do, where the history does not say."""
    if _git(repository, "rev-parse", "HEAD") is None:
        pytest.fail("The release before is found in the history: run this in a clone with git.")
    if wanted := environ.get(VARIABLE):
        return _wanted(repository, wanted)
    if _git(repository, "rev-parse", "--is-shallow-repository") != "false":
        pytest.fail(
            "This clone is shallow and does not know the release before. Run `git fetch --unshallow --tags`, or name a"
            f" commit that is here with {VARIABLE}=…"
        )
    found = _newest_tag(repository) or _newest_version(repository)
    if found is None:
        pytest.fail(f"The history has no tag v* and no other version before HEAD. Name a commit with {VARIABLE}=…")
    return found


def _wanted(repository: Path, wanted: str) -> ReleaseBefore:
    commit = _git(repository, "rev-parse", "--verify", "--quiet", f"{wanted}^{{commit}}")
    if commit is None:
        pytest.fail(f"{VARIABLE}={wanted} is no commit of this clone.")
    return ReleaseBefore(commit, f"which {VARIABLE}={wanted} names")


def _newest_tag(repository: Path) -> ReleaseBefore | None:
    shown = "--format=%(refname:short) %(objectname) %(*objectname)"  # the last one: of an annotated tag
    known = _git(repository, "for-each-ref", "--merged=HEAD", "--sort=-version:refname", shown, "refs/tags/v*") or ""
    head = _git(repository, "rev-parse", "HEAD")
    for name, *objects in map(str.split, known.splitlines()):
        if objects[-1] != head:
            return ReleaseBefore(objects[-1], f"the newest tag before HEAD: {name}")
    return None


def _newest_version(repository: Path) -> ReleaseBefore | None:
    known = _git(repository, "log", "--format=%H", f"-G{VERSION_LINE}", "HEAD", "--", PROJECT) or ""
    head = _git(repository, "rev-parse", "HEAD")
    for commit in known.split():
        if commit != head:
            version = tomllib.loads(_git(repository, "show", f"{commit}:{PROJECT}") or "")["project"]["version"]
            return ReleaseBefore(commit, f"which began version {version}; there is no tag v* before HEAD")
    return None


def extract(repository: Path, commit: str, folder: Path) -> None:
    """Write the files of a commit into a new folder."""
    folder.mkdir()
    archive = folder.with_suffix(".tar")
    assert _git(repository, "archive", "--output", str(archive), commit) is not None, f"{commit} cannot be archived"
    subprocess.run(["tar", "--extract", "--file", archive, "--directory", folder], check=True)
    archive.unlink()


def _git(repository: Path, *arguments: str) -> str | None:
    """Return what git says, or None where it fails."""
    command = ["git", "-c", "safe.directory=*", *arguments]
    done = subprocess.run(command, cwd=repository, capture_output=True, text=True, check=False)
    return done.stdout.strip() if done.returncode == 0 else None
