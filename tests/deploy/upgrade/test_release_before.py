"""Which commit is the release before, in small histories."""

import subprocess
import time
from pathlib import Path

import pytest

from tests.deploy.upgrade.release_before import PROJECT, VARIABLE, find

IDENTITY = (
    "-c",
    "user.name=tests",
    "-c",
    "user.email=tests@example.org",
    "-c",
    "commit.gpgsign=false",
    "-c",
    "tag.gpgsign=false",
)


class History:
    """A repository of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir()
        self.git("init", "--quiet", "--initial-branch=main")

    def git(self, *arguments: str) -> str:
        command = ["git", *IDENTITY, *arguments]
        return subprocess.run(command, cwd=self.folder, capture_output=True, text=True, check=True).stdout.strip()

    def commit(self) -> str:
        """Change a file; return the commit."""
        return self._commit("README.md", f"{time.monotonic()}\n")

    def begin_version(self, version: str, name: str = "app") -> str:
        """Give the project a version; return the commit."""
        return self._commit(PROJECT, f'[project]\nname = "{name}"\nversion = "{version}"\n')

    def _commit(self, path: str, text: str) -> str:
        (self.folder / path).write_text(text, "utf-8")
        self.git("add", path)
        self.git("commit", "--quiet", "--message", f"Change {path}")
        return self.git("rev-parse", "HEAD")


@pytest.fixture
def history(tmp_path: Path) -> History:
    """A history that begins with a version."""
    history = History(tmp_path / "history")
    history.begin_version("0.1.0")
    return history


def test_the_newest_tag_is_the_release_before(history: History) -> None:
    tagged = []
    for version in ("v0.9.0", "v0.10.0", "v0.2.0"):
        tagged.append(history.commit())
        history.git("tag", "--annotate", version, "--message", version)
    history.commit()

    found = find(history.folder, {})

    assert (found.commit, found.why) == (tagged[1], "the newest tag before HEAD: v0.10.0")


def test_a_tag_on_this_commit_is_this_release(history: History) -> None:
    first = history.commit()
    history.git("tag", "v0.1.0")
    history.commit()
    history.git("tag", "v0.2.0")

    assert find(history.folder, {}).commit == first


def test_a_tag_of_another_branch_is_not_before_this_one(history: History) -> None:
    first = history.commit()
    history.git("tag", "v0.1.0")
    history.git("switch", "--quiet", "--create", "other")
    history.commit()
    history.git("tag", "v0.3.0")
    history.git("switch", "--quiet", "main")
    history.commit()

    assert find(history.folder, {}).commit == first


def test_without_a_tag_it_is_the_commit_that_began_the_version(history: History) -> None:
    began = history.begin_version("0.2.0")
    history.begin_version("0.2.0", name="another")
    history.commit()

    found = find(history.folder, {})

    assert (found.commit, "began version 0.2.0;" in found.why) == (began, True)


def test_a_version_that_begins_with_this_commit_is_this_release(history: History) -> None:
    first = history.git("rev-parse", "HEAD")
    history.begin_version("0.2.0")

    assert find(history.folder, {}).commit == first


def test_the_caller_may_name_it(history: History) -> None:
    first = history.commit()
    history.commit()
    history.git("tag", "v0.1.0")
    history.commit()

    assert find(history.folder, {VARIABLE: "HEAD~2"}).commit == first


@pytest.mark.parametrize(
    ("environ", "reason"),
    [
        ({VARIABLE: "v9"}, "UPGRADE_FROM=v9 is no commit of this clone"),
        ({}, "no tag v\\* and no other version before HEAD"),
    ],
)
def test_a_history_that_does_not_know_it_fails(history: History, environ: dict[str, str], reason: str) -> None:
    with pytest.raises(pytest.fail.Exception, match=reason):
        find(history.folder, environ)


def test_a_shallow_clone_fails_and_says_what_to_do(history: History, tmp_path: Path) -> None:
    history.git("clone", "--quiet", "--depth=1", f"file://{history.folder}", str(tmp_path / "shallow"))

    with pytest.raises(pytest.fail.Exception, match="git fetch --unshallow --tags"):
        find(tmp_path / "shallow", {})


def test_a_folder_without_history_fails(tmp_path: Path) -> None:
    with pytest.raises(pytest.fail.Exception, match="run this in a clone"):
        find(tmp_path, {})
