"""Shell scripts: shellcheck over each in the tree, with planted faults; and those of the deploy kit are POSIX."""

import re
from pathlib import Path

import pytest

from tests.deploy.lint.checkers import ROOT, shellcheck, tree

SHEBANG = re.compile(rb"#!\s*(?:/usr)?/bin/(?:env )?(?:ba|da)?sh\b|# shellcheck shell=")


def scripts() -> list[Path]:
    """Every file that begins as a shell script does, whatever its name."""
    return [path for path in tree() if SHEBANG.match(path.read_bytes()[:80])]


def test_the_scripts_are_found() -> None:
    names = {str(path.relative_to(ROOT)) for path in scripts()}

    assert {".ci/run", "deploy/ci/build", "deploy/ci/prelude.sh", "deploy/nginx/certificate"} <= names


def test_shellcheck_finds_nothing() -> None:
    assert shellcheck(scripts()) == []


def test_scripts_of_the_deploy_kit_are_posix_and_stop_at_the_first_failure() -> None:
    kit = [path for path in scripts() if path.is_relative_to(ROOT / "deploy") and path.name != "prelude.sh"]

    assert [path for path in kit if not path.read_text("utf-8").startswith("#!/bin/sh\n")] == []
    assert [path for path in kit if not re.search(r"^set -eu$", path.read_text("utf-8"), re.MULTILINE)] == []
    assert [path for path in kit if not path.stat().st_mode & 0o111] == []


PLANTED = {
    "SC2086": ('mkdir -p "$CI_FOLDER"', "mkdir -p $CI_FOLDER"),
    "SC2154": ("engine=$(engine)\n", ""),
    "SC3010": ("set -eu", "set -eu\n[[ $# -eq 0 ]]"),
    "SC2164": ("set -eu", "set -u\ncd /nowhere"),
    "SC1073": ("done\n", ""),
}


@pytest.mark.parametrize("rule", PLANTED)
def test_a_planted_fault_is_found(tmp_path: Path, rule: str) -> None:
    text = (ROOT / "deploy" / "ci" / "build").read_text("utf-8")
    old, new = PLANTED[rule]
    assert old in text
    planted = tmp_path / "build"
    planted.write_text(text.replace(old, new), "utf-8")

    assert any(f"[{rule}]" in line for line in shellcheck([planted]))
