"""The cases beside the rules prove something: each rule is broken in turn (broken_rules.py), and a case fails."""

from pathlib import Path

import pytest

from tests.deploy.observe.broken_rules import STEPS, Break, breaks, plant
from tests.deploy.observe.checkers import promtool_cases
from tests.deploy.observe.rules import rules

# Faults that change nothing, and why.
EXCUSED: dict[str, str] = {}


def test_every_threshold_has_a_step() -> None:
    assert {rule.name for rule in rules() if rule.name.endswith(":limit")} == STEPS.keys()


@pytest.mark.parametrize("fault", breaks(), ids=str)
def test_a_broken_rule_is_found(tmp_path: Path, fault: Break) -> None:
    files = plant(fault, tmp_path)

    failed = any(promtool_cases(path) for path in files)

    assert files, "no case rests on it"
    assert failed is (str(fault) not in EXCUSED), (
        "no case fails" if not failed else "it changes something, so excuse it not"
    )


def test_excuses_are_of_faults_that_are_planted() -> None:
    assert EXCUSED.keys() <= {str(fault) for fault in breaks()}
