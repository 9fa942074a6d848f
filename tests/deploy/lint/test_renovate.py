"""renovate.json: whatever is pinned is looked after."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from tests.deploy.lint.checkers import ROOT, tree
from tests.deploy.lint.test_dockerfiles import dockerfiles


@pytest.fixture(scope="module")
def renovate() -> dict[str, Any]:
    """The configuration."""
    return dict(json.loads((ROOT / "renovate.json").read_text("utf-8")))


def covered(renovate: dict[str, Any], manager: str, path: Path) -> bool:
    """Return whether a manager reads a file. Renovate writes patterns between slashes."""
    patterns = renovate[manager]["managerFilePatterns"]
    return any(re.search(pattern.strip("/"), str(path.relative_to(ROOT))) for pattern in patterns)


def test_every_dockerfile_is_looked_after(renovate: dict[str, Any]) -> None:
    assert [path for path in dockerfiles() if not covered(renovate, "dockerfile", path)] == []


def test_every_list_of_packages_is_looked_after_and_has_its_lock(renovate: dict[str, Any]) -> None:
    lists = tree("requirements*.in")

    assert {path.name for path in lists} >= {"requirements-lint.in", "requirements-deploy.in"}
    assert [path for path in lists if not covered(renovate, "pip_requirements", path)] == []
    assert [path for path in lists if not path.with_suffix(".txt").exists()] == []


@pytest.mark.parametrize("name", [path.name for path in tree("requirements-*.in")])
def test_a_lock_pins_what_its_list_names_with_hashes(name: str) -> None:
    wanted = re.findall(r"^([\w.-]+)(?:\[[\w,]+\])?==(\S+)", (ROOT / name).read_text("utf-8"), re.MULTILINE)
    lock = (ROOT / name).with_suffix(".txt").read_text("utf-8")

    pinned = dict(re.findall(r"^([\w.-]+)==(\S+) \\\n +--hash=sha256:[0-9a-f]{64}", lock, re.MULTILINE))

    assert wanted
    assert {package: pinned.get(package) for package, _ in wanted} == dict(wanted)
    assert len(pinned) == len(re.findall(r"^[\w.-]+==", lock, re.MULTILINE)), "one of them has no hash"
    assert "://" not in lock, "a lock names no server to fetch from"


def test_actions_and_the_python_of_the_image_are_looked_after(renovate: dict[str, Any]) -> None:
    rules = {package: rule for rule in renovate["packageRules"] for package in rule.get("matchPackageNames", [])}
    base = re.search(r"^ARG PYTHON=(\S+?):(\S+?)@", (ROOT / "vote" / "Dockerfile").read_text("utf-8"), re.MULTILINE)

    assert base is not None
    assert re.search(rules[base[1]]["allowedVersions"].strip("/"), base[2])
    assert {"dockerfile", "docker-compose", "github-actions", "pep621", "pip_requirements"} <= set(
        renovate["enabledManagers"]
    )
