"""Alloy's file, which no program here reads: its components name each other, and its three labels have few values."""

import json
import re

import pytest

from tests.deploy.lint.checkers import ROOT

FILE = ROOT / "deploy" / "logs" / "alloy" / "config.alloy"
SCHEMA = ROOT / "docs" / "logs.schema.json"
LABELS = ["event", "level", "part"]
FEW = 200  # values of a label: Loki keeps a stream for each set of values that occurs
COMPONENT = re.compile(r'^([a-z.]+) "(\w+)" \{$', re.MULTILINE)
REFERENCE = re.compile(r"\b((?:discovery|loki)\.[a-z.]+?)\.(\w+)\.(targets|output|receiver)\b")
EXPORTS = {
    "discovery.docker": "targets",
    "discovery.relabel": "output",
    "loki.process": "receiver",
    "loki.write": "receiver",
}


def findings(text: str) -> list[str]:
    """Return what is wrong with a file, a line each."""
    code = re.sub(r"//.*|\"[^\"\n]*\"", lambda match: "" if match[0].startswith("//") else match[0], text)
    components = set(COMPONENT.findall(code))
    found = [f"nothing exports {kind}.{name}.{export}" for kind, name, export in REFERENCE.findall(code)
             if (kind, name) not in components or EXPORTS[kind] != export]  # fmt: skip
    bare = re.sub(r'"[^"\n]*"', "", code)
    found += [f"{pair} do not close" for pair in ("{}", "[]", "()") if bare.count(pair[0]) != bare.count(pair[1])]
    labels = re.findall(r"stage\.labels \{\s*values = \{(.*?)\}", code)
    kept = re.findall(r"stage\.label_keep \{\s*values = (\[.*?\])", code)
    named = [sorted(re.findall(r"(\w+) = \"\"", one)) for one in labels] + [sorted(json.loads(one)) for one in kept]
    found += [f"labels: {one}" for one in named if one != LABELS]
    return found + ([] if len(named) == 2 else ["labels are not set and kept once each"])


def test_nothing_is_found() -> None:
    assert findings(FILE.read_text("utf-8")) == []


def test_labels_have_few_values() -> None:
    properties = json.loads(SCHEMA.read_text("utf-8"))["properties"]

    assert all(len(properties[label]["enum"]) < FEW for label in LABELS)


PLANTED = {
    "a receiver that is not there": ("loki.write.vote.receiver", "loki.write.votes.receiver"),
    "an export that is not there": ("discovery.docker.vote.targets", "discovery.docker.vote.output"),
    "a label for each request": (
        'values = {part = "", level = "", event = ""}',
        'values = {part = "", request_id = ""}',
    ),
    "labels of Docker that stay": (
        'values = ["part", "level", "event"]',
        'values = ["part", "level", "event", "container"]',
    ),
    "a block that does not close": ("  endpoint {", "  endpoint"),
}


@pytest.mark.parametrize("fault", PLANTED)
def test_a_planted_fault_is_found(fault: str) -> None:
    old, new = PLANTED[fault]
    text = FILE.read_text("utf-8")
    assert old in text

    assert findings(text.replace(old, new)) != []
