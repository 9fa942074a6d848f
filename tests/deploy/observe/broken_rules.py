"""Ways to break the rules of deploy/prometheus, each of which a case beside them must notice.

Broken are: a threshold, by one step up and one down; how long an alert waits; its severity; each metric it uses, guards
included; each label it selects by; and the whole rule.
"""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import yaml

from tests.deploy.observe.checkers import PROMETHEUS
from tests.deploy.observe.rules import Rule, case_files, content, metrics_in, rule_files, rules

# One step of each threshold: what nobody would notice by reading, and a case does.
STEPS: dict[str, str] = {
    "vote:lag_seconds:limit": "1",
    "vote:heartbeat_age_seconds:limit": "1",
    "vote:answers_5xx_ratio:limit": "0.01",
    "vote:slo_ratio:limit": "0.0005",
    "vote:burn_fast:limit": "0.4",
    "vote:burn_slow:limit": "0.4",
    "vote:database_connections_ratio:limit": "0.01",
    "vote:pool_refused_per_second:limit": "0.01",
    "vote:replica_lag_seconds:limit": "1",
    "vote:log_memory_ratio:limit": "0.01",
    "vote:log_fsync_delayed_per_second:limit": "0.01",
    "vote:disk_avail_ratio:limit": "0.01",
    "vote:disk_full_within_seconds:limit": "600",
    "vote:memory_ratio:limit": "0.01",
    "vote:memory_limit_bytes:limit": "10485760",
    "vote:memory_growth_bytes_per_hour:limit": "1048576",
    "vote:memory_fresh_bytes:limit": "8388608",
    "vote:certificate_left_seconds:limit": "3600",
    "vote:backup_age_seconds:limit": "3600",
    "vote:backup_verified_age_seconds:limit": "7200",
    "vote:secret_age_seconds:limit": "3600",
    "vote:ballots_set_aside:limit": "1",
    "vote:gaps_open:limit": "1",
    "vote:login_failure_ratio:limit": "0.02",
    "vote:login_failures_per_second:limit": "0.01",
}
MATCHER = r'(?:\w+(?:=~|!~|!=|=)"[^"]*")'
START = re.compile(r"^ +- (?:alert|record): ", re.MULTILINE)


class Break(NamedTuple):
    """A fault: a rule, its place in its file, what is done to it, and the text that takes its place."""

    rule: Rule
    place: int
    what: str
    text: str

    def __str__(self) -> str:
        return f"{self.rule.name} {self.place}: {self.what}"


def breaks() -> list[Break]:
    """Return every fault."""
    found = []
    for path in dict.fromkeys(rule.path for rule in rules()):
        for rule, place, text in _placed(path):
            found += [Break(rule, place, what, broken) for what, broken in _broken(rule, text)]
    return found


def _texts(path: Path) -> list[str]:
    """The text of each rule of a file, in order, with what follows it."""
    text = path.read_text("utf-8")
    starts = [match.start() for match in START.finditer(text)]
    return [text[start:end] for start, end in zip(starts, [*starts[1:], len(text)], strict=True)]


def _broken(rule: Rule, text: str) -> Iterator[tuple[str, str]]:
    if rule.name.endswith(":limit"):
        for sign in "+-":
            yield f"{sign} one step", re.sub(r"expr: (.+)", rf"expr: \1 {sign} {STEPS[rule.name]}", text, count=1)
        return
    yield "not there", ""
    for name in sorted(metrics_in(rule.expr)):
        # From `expr` on, since an alert may have the name of what it looks at.
        head, expr = text.split("expr:", 1)
        yield f"without {name}", f"{head}expr:" + re.sub(rf"(?<![\w:]){name}(?![\w:])", f"{name}_gone", expr)
    for matcher in sorted(set(re.findall(MATCHER, rule.expr))):
        yield f"whatever {matcher}", _without(matcher, text)
    if rule.kind == "alert":
        yield from _broken_alert(rule, text)


def _without(matcher: str, text: str) -> str:
    quoted = re.escape(matcher)
    return re.sub(rf"{quoted},|,{quoted}|(?<=\{{){quoted}(?=\}})", "", text)


def _broken_alert(rule: Rule, text: str) -> Iterator[tuple[str, str]]:
    severity = rule.labels["severity"]
    other = {"page": "ticket", "ticket": "page"}[severity]
    yield "the other severity", text.replace(f"severity: {severity}", f"severity: {other}")
    if rule.hold != "0s":
        seconds = int(rule.hold[:-1]) * {"s": 1, "m": 60, "h": 3600}[rule.hold[-1]]
        yield "waits half as long", text.replace(f"for: {rule.hold}", f"for: {seconds // 2}s")
        yield "waits twice as long", text.replace(f"for: {rule.hold}", f"for: {seconds * 2}s")


def plant(fault: Break, folder: Path) -> list[Path]:
    """Write the rules with one fault, and the cases of the alerts that rest on the broken rule; return the files of cases.

    Only rules that these alerts need are written: most of the time of a case goes into evaluating the others.
    """
    names = _resting_on(fault.rule)
    files = list(_cases_of(names, folder))
    tried = {path.name.replace("_test", "") for path in files} | {"recording.yml", "thresholds.yml"}
    own = [(rule, place, text) for path in rule_files() if path.name in tried for rule, place, text in _placed(path)]
    needed = _needed(names, own)
    for name in tried:
        kept = [
            fault.text if (rule.path, place) == (fault.rule.path, fault.place) else text
            for rule, place, text in own
            if rule.path.name == name and rule.name in needed
        ]
        whole = (PROMETHEUS / "rules" / name).read_text("utf-8")
        groups = START.split(whole, maxsplit=1)[0]
        (folder / name).write_text(groups + "".join(kept), "utf-8")
    return files


def _placed(path: Path) -> list[tuple[Rule, int, str]]:
    """Every rule of a file with its place in it and its text."""
    own = [rule for rule in rules() if rule.path == path]
    return [(rule, place, text) for place, (rule, text) in enumerate(zip(own, _texts(path), strict=True))]


def _needed(names: set[str], own: list[tuple[Rule, int, str]]) -> set[str]:
    """The alerts, and every rule they name, directly or by others; ALERTS names alerts too."""
    needed, before = set(names), set[str]()
    while needed != before:
        before = set(needed)
        texts = "".join(text for rule, _, text in own if rule.name in needed)
        needed |= {rule.name for rule, _, _ in own if rule.name in texts}
    return needed


def _resting_on(rule: Rule) -> set[str]:
    """The alerts that use a rule, directly or by other recorded ones; an alert itself."""
    if rule.kind == "alert":
        return {rule.name}
    users = [one for one in rules() if rule.name in metrics_in(one.expr)]
    return {name for user in users for name in _resting_on(user)}


def _cases_of(names: set[str], folder: Path) -> Iterator[Path]:
    for path in case_files(PROMETHEUS):
        groups = [group for group in content(path)["tests"] if group["name"].partition(":")[0] in names]
        if groups:
            (folder / path.name).write_text(yaml.safe_dump({**content(path), "tests": groups}), "utf-8")
            yield folder / path.name
