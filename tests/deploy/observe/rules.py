"""The rules of deploy/prometheus and their cases, as tests read them."""

import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from tests.deploy.observe.checkers import PROMETHEUS

WORDS = frozenset(("and", "or", "unless", "bool"))


class Rule(NamedTuple):
    """A recording rule (`record`) or an alert (`alert`), with the file it stands in."""

    path: Path
    kind: str
    name: str
    expr: str
    hold: str
    labels: dict[str, str]
    annotations: dict[str, str]


class Case(NamedTuple):
    """A named group of unit tests: the alert it is about, what it shows, and at how many times it fires or is silent."""

    path: Path
    alert: str
    shows: str
    fires: int
    silent: int


@cache
def content(path: Path) -> Any:
    """Return what a YAML file holds. Nobody changes a file once it is read."""
    return yaml.safe_load(path.read_text("utf-8"))


def rule_files(folder: Path = PROMETHEUS) -> list[Path]:
    """Return the rule files that prometheus.yml names, in its order."""
    named = content(folder / "prometheus.yml")["rule_files"]
    return [folder / name for name in named]


def case_files(folder: Path = PROMETHEUS) -> list[Path]:
    """Return the files of unit tests."""
    return sorted((folder / "rules").glob("*_test.yml"))


def rules(folder: Path = PROMETHEUS) -> list[Rule]:
    """Return every rule that Prometheus loads."""
    return [rule for path in rule_files(folder) for rule in _rules_of(path)]


def alerts(folder: Path = PROMETHEUS) -> list[Rule]:
    """Return every alerting rule. Several may have one name."""
    return [rule for rule in rules(folder) if rule.kind == "alert"]


def _rules_of(path: Path) -> Iterator[Rule]:
    for group in content(path)["groups"]:
        for rule in group["rules"]:
            kind = "alert" if "alert" in rule else "record"
            yield Rule(
                path,
                kind,
                rule[kind],
                str(rule["expr"]),
                rule.get("for", "0s"),
                rule.get("labels", {}),
                rule.get("annotations", {}),
            )


def cases(path: Path) -> list[Case]:
    """Return the groups of a file of unit tests. A name is `<alert>: <what it shows>`."""
    return [_case(path, group) for group in content(path)["tests"]]


def _case(path: Path, group: dict[str, Any]) -> Case:
    alert, _, shows = group["name"].partition(": ")
    tests = [test for test in group["alert_rule_test"] if test["alertname"] == alert]
    fires = sum(1 for test in tests if test.get("exp_alerts"))
    return Case(path, alert, shows, fires, len(tests) - fires)


def metrics_in(expr: str) -> set[str]:
    """Return the names of metrics and recorded series in a PromQL expression."""
    bare = re.sub(r"\{[^}]*\}|\[[^\]]*\]|\"[^\"]*\"|'[^']*'", " ", expr)
    bare = re.sub(r"\b(?:by|without|on|ignoring|group_left|group_right)\s*\([^)]*\)", " ", bare)
    bare = re.sub(r"\boffset\s+\w+", " ", bare)
    names = re.findall(r"(?<![\w:.])([a-zA-Z_:][\w:]*)\b(?!\s*\()", bare)
    return {name for name in names if name not in WORDS}
