"""Workflows: actionlint, zizmor and checkov, and the rules of ours that they do not know; each with planted faults."""

import re
import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.deploy.lint.checkers import ROOT, actionlint, checkov, tree, zizmor

WORKFLOWS = ROOT / ".github" / "workflows"
SEED = Path(__file__).parent / "seed" / "workflow.yml"
SKIPS = {
    "CKV_GHA_7": "it is about builds; deploy.yml builds nothing, and its input is a digest that must carry our signature",
}
PINNED = re.compile(r"[\w.-]+(?:/[\w.-]+)+@[0-9a-f]{40} # v\d+\.\d+\.\d+$")
ONE_LINE = re.compile(r"deploy/ci/([\w-]+)( [\w-]+)*$")
LONGEST_MINUTES = 90


def workflows() -> list[Path]:
    """Every workflow of the project."""
    return tree(".github/workflows/*.yml", ".github/workflows/*.yaml")


def unlike_ours(path: Path) -> list[str]:
    """What breaks the rules of this project: pins, rights, time limits, steps of one line."""
    text = path.read_text("utf-8")
    flow: dict[str, Any] = yaml.safe_load(text)
    found = [
        f"unpinned: {used}" for used in re.findall(r"uses: *([^$\s].*)$", text, re.MULTILINE) if not PINNED.match(used)
    ]
    if flow.get("permissions") != {}:
        found.append("rights: the workflow begins without any")
    if "group" not in (flow.get("concurrency") or {}):
        found.append("concurrency: two runs may meet")
    if re.search(r"\$\{\{ *secrets\.", text):
        found.append("secret: a stored key, where a short-lived identity would do")
    for name, job in flow["jobs"].items():
        if not 0 < job.get("timeout-minutes", 0) <= LONGEST_MINUTES and "uses" not in job:
            found.append(f"timeout: {name} has none")
        for step in job.get("steps", []):
            if "run" in step and not (match := ONE_LINE.match(step["run"])):
                found.append(f"step: {step['run'].splitlines()[0]} is no call of one script")
            elif "run" in step and not (ROOT / "deploy" / "ci" / match[1]).is_file():
                found.append(f"step: deploy/ci/{match[1]} is not there")
            if (
                step.get("uses", "").startswith("actions/checkout@")
                and (step.get("with") or {}).get("persist-credentials") is not False
            ):
                found.append(f"credentials: {name} leaves the token of its checkout in a file")
    return found


def in_project(folder: Path, *paths: Path, text: str | None = None) -> Path:
    """Put workflows, or a broken one, where the checkers expect them; return that file's folder's root."""
    place = folder / ".github" / "workflows"
    place.mkdir(parents=True)
    shutil.copy(ROOT / ".github" / "actionlint.yaml", place.parent)
    for path in paths:
        (place / path.name).write_text(path.read_text("utf-8") if text is None else text, "utf-8")
    (folder / ".git").mkdir()  # actionlint looks for the root of a project
    return folder


def test_the_workflows_are_found() -> None:
    assert {path.name for path in workflows()} >= {"ci.yml", "release.yml", "deploy.yml"}


def test_actionlint_finds_nothing() -> None:
    assert actionlint(workflows()) == []


def test_zizmor_finds_nothing(tmp_path: Path) -> None:
    assert zizmor(in_project(tmp_path, *workflows())) == []


def test_checkov_finds_nothing(tmp_path: Path) -> None:
    assert checkov(in_project(tmp_path, *workflows()), framework="github_actions", skips=SKIPS) == []


@pytest.mark.parametrize("path", workflows(), ids=lambda path: path.name)
def test_a_workflow_keeps_our_rules(path: Path) -> None:
    assert unlike_ours(path) == []


def test_every_script_is_a_step_or_called_by_one() -> None:
    calls = "".join(path.read_text("utf-8") for path in [*workflows(), *tree("deploy/ci/*")])

    unused = [
        path.name
        for path in tree("deploy/ci/*")
        if calls.count(path.name) < 1 + path.read_text("utf-8").count(path.name)
    ]

    assert unused == []


def test_one_action_has_one_version() -> None:
    used = {
        line
        for path in workflows()
        for line in re.findall(r"uses: ([\w./-]+@.*)$", path.read_text("utf-8"), re.MULTILINE)
    }

    assert len({line.partition("@")[0] for line in used}) == len(used)


def test_the_workflow_of_the_seed_is_refused(tmp_path: Path) -> None:
    folder = in_project(tmp_path, SEED)

    assert any("actions/checkout@v3" in line for line in actionlint([folder / ".github/workflows/workflow.yml"]))
    assert {"unpinned-uses", "excessive-permissions", "artipacked"} <= {line.split()[1] for line in zizmor(folder)}
    assert any("CKV2_GHA_1" in line for line in checkov(folder, framework="github_actions", skips=SKIPS))
    assert {line.partition(":")[0] for line in unlike_ours(SEED)} == {
        "unpinned",
        "rights",
        "concurrency",
        "timeout",
        "step",
        "credentials",
    }


DEPLOY_RUN = "      - run: deploy/ci/deploy kubernetes\n"
PLANTED = {
    # checker: rule: (what stands in deploy.yml, what it is broken into)
    "actionlint": {
        "[expression]": ("inputs.digest", "input.digest"),
        "[syntax-check]": ("    timeout-minutes: 30\n", "    timeout: 30\n"),
        "[job-needs]": ("    needs: verify\n", "    needs: verfy\n"),
        "[runner-label]": ("runs-on: ubuntu-24.04", "runs-on: ubuntu-24.05"),
        "[shellcheck]": (DEPLOY_RUN, "      - run: deploy/ci/deploy $DIGEST\n"),
        "[permissions]": ("      packages: read ", "      package: read "),
    },
    "zizmor": {
        "template-injection": (DEPLOY_RUN, "      - run: deploy/ci/deploy ${{ inputs.digest }}\n"),
        "unpinned-uses": ("actions/checkout@3d3c42e5aac5ba805825da76410c181273ba90b1 # v7.0.1", "actions/checkout@v7"),
        "artipacked": ("          persist-credentials: false\n", "          fetch-depth: 1\n"),
        "excessive-permissions": ("\npermissions: {}\n", "\npermissions: write-all\n"),
        "concurrency-limits": (
            "concurrency:\n  group: deploy-production # one at a time, whoever starts it\n  cancel-in-progress: false\n",
            "",
        ),
        "dangerous-triggers": ("  workflow_dispatch:\n", "  pull_request_target:\n  workflow_dispatch:\n"),
    },
    "checkov": {"CKV2_GHA_1": ("\npermissions: {}\n", "\npermissions: write-all\n")},
    "ours": {
        "unpinned": (" # v7.0.1", ""),
        "rights": ("\npermissions: {}\n", "\npermissions:\n  contents: write\n"),
        "concurrency": ("concurrency:\n", "x-concurrency:\n"),
        "secret": ("${{ vars.KUBERNETES_CA }}", "${{ secrets.KUBERNETES_CA }}"),
        "timeout": ("    timeout-minutes: 10\n", ""),
        "step": (DEPLOY_RUN, "      - run: kubectl set image deployment/vote-app vote=vote:latest\n"),
        "credentials": ("          persist-credentials: false\n", "          fetch-depth: 1\n"),
    },
}


@pytest.mark.parametrize(
    ("checker", "rule"), [(checker, rule) for checker, faults in PLANTED.items() for rule in faults]
)
def test_a_planted_fault_is_found(tmp_path: Path, checker: str, rule: str) -> None:
    text = (WORKFLOWS / "deploy.yml").read_text("utf-8")
    old, new = PLANTED[checker][rule]
    assert old in text
    folder = in_project(tmp_path, WORKFLOWS / "deploy.yml", text=text.replace(old, new))
    planted = folder / ".github" / "workflows" / "deploy.yml"

    found = {
        "actionlint": lambda: actionlint([planted]),
        "zizmor": lambda: zizmor(folder),
        "checkov": lambda: checkov(folder, framework="github_actions", skips=SKIPS),
        "ours": lambda: unlike_ours(planted),
    }[checker]()

    assert any(rule in line for line in found), found
