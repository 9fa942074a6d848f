"""The tables of `make mutants` follow the code: what each fault replaces is there once, and the tests it names exist."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.faults.__main__ import ALL_FAULTS
from tests.faults.fault import Fault
from tests.faults.of_model import MODEL_FAULTS

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("fault", ALL_FAULTS, ids=[fault.name for fault in ALL_FAULTS])
def test_a_fault_can_be_planted_and_its_tests_are_there(fault: Fault) -> None:
    text = (ROOT / fault.path).read_text("utf-8")
    assert text.count(fault.before) == 1
    if fault.path.endswith(".py"):  # what does not even compile is noticed by any test
        compile(text.replace(fault.before, fault.after), fault.path, "exec")
    for test in fault.tests:
        path, _, name = test.partition("::")
        assert (ROOT / path).exists(), test
        assert f"def {name.partition('[')[0]}" in (ROOT / path).read_text("utf-8") or not name, test


def test_a_planted_fault_names_what_is_there(tmp_path: Path) -> None:
    """An undefined name fails any test, and proves nothing."""
    for number, fault in enumerate(ALL_FAULTS):
        if fault.path.endswith(".py"):
            text = (ROOT / fault.path).read_text("utf-8")
            (tmp_path / f"f{number}.py").write_text(text.replace(fault.before, fault.after), "utf-8")
    command = [sys.executable, "-m", "ruff", "check", "--isolated", "--select", "F821", "--output-format", "json"]

    found = json.loads(subprocess.run([*command, str(tmp_path)], capture_output=True, check=False).stdout)

    assert [(ALL_FAULTS[int(Path(one["filename"]).stem[1:])].name, one["message"]) for one in found] == []


IN_MIGRATIONS = [fault for fault in ALL_FAULTS if fault.path.startswith("vote/db/migrations/")]
FUNCTION = re.compile(r"^CREATE (?:OR REPLACE )?FUNCTION (\w+)", re.MULTILINE)


@pytest.mark.parametrize("fault", IN_MIGRATIONS, ids=[fault.name for fault in IN_MIGRATIONS])
def test_no_later_migration_makes_a_function_anew_in_which_a_fault_is_planted(fault: Fault) -> None:
    path = ROOT / fault.path
    before = path.read_text("utf-8").partition(fault.before)[0] + fault.before
    later = [one.read_text("utf-8") for one in path.parent.glob("*.sql") if one.name > path.name]

    assert not {*FUNCTION.findall(before)[-1:]} & {name for text in later for name in FUNCTION.findall(text)}


def test_the_document_on_security_names_faults_that_are_planted() -> None:
    named = set(re.findall("“([^”]{2,})”", (ROOT / "docs" / "security.md").read_text("utf-8")))

    assert named
    assert named <= {fault.name for fault in ALL_FAULTS}


def test_no_two_faults_share_a_name() -> None:
    assert len({fault.name for fault in ALL_FAULTS}) == len(ALL_FAULTS)


def test_every_fault_of_the_model_is_planted_and_listed() -> None:
    told = (ROOT / "docs" / "guarantees.md").read_text("utf-8")
    names = {fault.name for fault in ALL_FAULTS}
    assert len(MODEL_FAULTS) == 20
    for model, planted in MODEL_FAULTS.items():
        assert set(planted) <= names, model
        assert f"| {model} | {'; '.join(planted)} |" in told
