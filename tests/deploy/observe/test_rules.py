"""Alerts and recording rules: promtool reads and tries them, and each keeps our own rules; with planted faults."""

import math
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.deploy.lint.checkers import ROOT
from tests.deploy.observe.checkers import PROMETHEUS, promtool_cases, promtool_config, promtool_rules
from tests.deploy.observe.rules import Rule, alerts, case_files, cases, content, metrics_in, rule_files, rules

# Names are a contract: runbooks, dashboards and `vote checklist` ask for them.
CONTRACT = [
    "VoteDown",
    "VotePartDown",
    "VoteDatabaseDown",
    "VoteLogDown",
    "VoteErrorRateHigh",
    "VoteErrorBudgetBurnFast",
    "VoteErrorBudgetBurnSlow",
    "VoteLagHigh",
    "VoteHeartbeatMissing",
    "VoteDatabaseConnectionsHigh",
    "VotePoolExhausted",
    "VoteReplicaLagging",
    "VoteReplicaMissing",
    "VoteLogMemoryHigh",
    "VoteLogReplicasMissing",
    "VoteLogFsyncSlow",
    "VoteDiskSpaceLow",
    "VoteMemoryLeak",
    "VoteMemoryHigh",
    "VoteBackupTooOld",
    "VoteBackupUnverified",
    "VoteWalStreamDown",
    "VoteCertificateExpires",
    "VoteSecretOld",
    "VoteBallotsRejected",
    "VoteGapUndecided",
    "VoteLoginsFailing",
    "Watchdog",
]
# Alerts without a rule for their missing series, and the alert that covers it; a comment beside them says so.
COVERED = {
    "VoteErrorBudgetBurnFast": "VoteErrorRateHigh",
    "VoteErrorBudgetBurnSlow": "VoteErrorRateHigh",
    "VoteMemoryLeak": "VoteMemoryHigh",
    "VoteReplicaMissing": "VotePartDown",
    "Watchdog": "Watchdog",
}
METRICS = Path(__file__).parent / "metrics.yml"
RUNBOOK = re.compile(r"\{\{ \$externalLabels\.runbooks \}\}/(\w+\.md)$")
LITERAL = re.compile(r"[<>]=?\s*(?![01](?![\d.]))[\d.]+")  # 0 and 1 are a count and a state


def known_metrics() -> set[str]:
    """Every metric that somebody has, or that is agreed."""
    lists: dict[str, list[str]] = content(METRICS)
    return {name for names in lists.values() for name in names}


def unlike_ours(folder: Path) -> Iterator[str]:
    """What breaks the rules of this project, one line a finding."""
    every = rules(folder)
    recorded = {rule.name for rule in every if rule.kind == "record"}
    known = known_metrics() | recorded
    for rule in every:
        yield from (f"metric: {rule.name} uses {name}, which nobody has" for name in metrics_in(rule.expr) - known)
    used = {name for rule in every for name in metrics_in(rule.expr)}
    yield from (f"unused: {name} is compared with nothing" for name in recorded - used if name.endswith(":limit"))
    for rule in alerts(folder):
        yield from (f"{problem} ({rule.name})" for problem in _unlike_an_alert(rule))
    names = {rule.name for rule in alerts(folder)}
    yield from (f"contract: {name} is missing" for name in CONTRACT if name not in names)
    yield from (f"contract: {name} is not in it" for name in sorted(names - set(CONTRACT)))
    absent = {rule.name for rule in alerts(folder) if rule.labels.get("signal") == "absent"}
    yield from (f"absent: nothing notices when {name} cannot fire" for name in sorted(names - absent - COVERED.keys()))


def _unlike_an_alert(rule: Rule) -> Iterator[str]:
    if rule.labels.get("severity") not in ("page", "ticket"):
        yield "severity: page or ticket"
    if not rule.annotations.get("summary", "").rstrip().endswith("."):
        yield "summary: a sentence"
    if not re.search(r"\bvalue\b|\b0 |missing for", rule.annotations.get("description", "")):
        yield "description: no figure"
    runbook = RUNBOOK.match(rule.annotations.get("runbook_url", ""))
    if runbook is None or runbook[1] != f"{rule.name}.md":
        yield "runbook: the link ends in the alert's own file"
    elif not (ROOT / "docs" / "runbooks" / runbook[1]).is_file():
        yield "runbook: the file is not there"
    if LITERAL.search(rule.expr):
        yield "threshold: figures stand in thresholds.yml"


def test_promtool_finds_nothing() -> None:
    assert promtool_config(PROMETHEUS / "prometheus.yml") == []
    assert promtool_rules(rule_files()) == []


def test_every_file_of_rules_is_loaded_and_has_its_cases() -> None:
    there = {path for path in (PROMETHEUS / "rules").glob("*.yml") if not path.name.endswith("_test.yml")}

    assert set(rule_files()) == there
    with_alerts = {rule.path.stem for rule in alerts()}
    assert {path.stem.removesuffix("_test") for path in case_files()} == with_alerts


@pytest.mark.parametrize("path", case_files(), ids=lambda path: path.stem)
def test_every_case_holds(path: Path) -> None:
    assert promtool_cases(path) == []


def test_rules_keep_ours() -> None:
    assert list(unlike_ours(PROMETHEUS)) == []


@pytest.mark.parametrize("name", CONTRACT)
def test_an_alert_fires_and_stays_silent_just_below_and_without_its_series(name: str) -> None:
    own = [case for path in case_files() for case in cases(path) if case.alert == name]

    assert len(own) >= 3
    assert any(case.fires and case.shows.startswith("fires") for case in own)
    if name != "Watchdog":  # which is never silent
        assert any("silent" in case.shows and "just below" in case.shows for case in own)
        assert any(case.silent and re.search(r"\b(new|missing|starts?)\b", case.shows) for case in own)


def test_a_case_shows_what_its_name_says() -> None:
    for path in case_files():
        for case in cases(path):
            assert case.alert in CONTRACT, case
            if case.shows.startswith("fires"):
                assert case.fires, case
            else:
                assert case.shows.startswith("silent"), case
                assert case.silent, case
    names = [(case.alert, case.shows) for path in case_files() for case in cases(path)]
    assert len(set(names)) == len(names)


def test_what_covers_a_missing_series_is_said_beside_the_alert() -> None:
    for name, covering in COVERED.items():
        path = next(rule.path for rule in alerts() if rule.name == name)
        comments = "\n".join(re.findall(r"#.*", path.read_text("utf-8")))

        assert covering in comments or covering == name, name


def test_metrics_of_vote_app_are_in_its_code() -> None:
    lists: dict[str, list[str]] = content(METRICS)
    code = "\n".join(path.read_text("utf-8") for path in (ROOT / "vote").rglob("*.py"))

    missing = [name for name in lists["vote"] if not re.search(rf"\b{_stem(name)}", code)]

    assert missing == []
    assert not set(lists["vote"]) & set(lists["to_come"])


def _stem(name: str) -> str:
    """A counter's name without what its class adds."""
    return name.removesuffix("_total")


def figures(name: str, label: str) -> dict[str, float]:
    """Figures of a threshold, by the value of a label."""
    return {
        rule.labels[label]: math.prod(float(part) for part in rule.expr.split("*"))
        for rule in rules()
        if rule.name == name and label in rule.labels
    }


def test_limits_of_memory_are_those_of_the_compose_file() -> None:
    services = content(ROOT / "compose.yaml")["services"]

    given = {
        part: int(services[name]["mem_limit"].removesuffix("m")) * 1024**2
        for part, name in (("web", "web-1"), ("worker", "worker-1"), ("backup", "backup"))
    }

    assert figures("vote:memory_limit_bytes:limit", "part") == given


def test_every_part_of_the_compose_file_is_asked_for_its_metrics() -> None:
    services = content(ROOT / "compose.yaml")["services"]
    parts = {
        name
        for name, service in services.items()
        if "VOTE_ENV" in service.get("environment", {}) and service["restart"] != "no"
    }
    jobs = content(PROMETHEUS / "prometheus.yml")["scrape_configs"]

    targets = {
        target
        for job in jobs
        if job["job_name"].startswith("vote-")
        for static in job["static_configs"]
        for target in static["targets"]
    }

    assert {f"{name}:{8080 if name.startswith('web') else 9101}" for name in parts} <= targets


def copy_of(folder: Path, file: str, old: str, new: str) -> Path:
    """Copy deploy/prometheus with one fault planted in a file; return the copy."""
    copy = folder / "prometheus"
    shutil.copytree(PROMETHEUS, copy)
    path = copy / file
    text = path.read_text("utf-8")
    assert old in text
    path.write_text(text.replace(old, new, 1), "utf-8")
    return copy


PLANTED = {
    # what is found: (file, what stands in it, what it is broken into)
    "severity": ("rules/backups.yml", "severity: ticket, signal: drill", "severity: critical, signal: drill"),
    "summary": ("rules/backups.yml", "summary: There is no recent backup.", "summary: backup"),
    "description": ("rules/decisions.yml", "'{{ $value }} gaps of", "'Some gaps of"),
    "runbook": ("rules/backups.yml", "runbooks }}/VoteWalStreamDown.md", "runbooks }}/VoteWalStream.md"),
    "threshold": ("rules/database.yml", "scalar(vote:database_connections_ratio:limit)", "0.8"),
    "metric": ("rules/database.yml", "sum(pg_stat_database_numbackends{", "sum(pg_stat_database_backends{"),
    "unused": ("rules/decisions.yml", "> scalar(vote:gaps_open:limit)", "> 0"),
    "contract": ("rules/decisions.yml", "alert: VoteGapUndecided", "alert: VoteGapsUndecided"),
    "absent": ("rules/ballot-log.yml", "labels: {severity: ticket, signal: absent}", "labels: {severity: ticket}"),
}


@pytest.mark.parametrize("rule", PLANTED)
def test_a_fault_in_a_rule_is_found(tmp_path: Path, rule: str) -> None:
    assert any(line.startswith(f"{rule}: ") for line in unlike_ours(copy_of(tmp_path, *PLANTED[rule])))


FOR_PROMTOOL = {
    "a bracket that does not close": ("rules/decisions.yml", "max(vote_gaps_open) >", "max(vote_gaps_open >"),
    "a template that does not end": ("rules/decisions.yml", "'{{ $value }} gaps", "'{{ $value }}{{ if }} gaps"),
    "a rule twice": (
        "rules/backups.yml",
        "labels: {severity: ticket, signal: drill}",
        "labels: {severity: ticket, signal: backup}",
    ),
    "a file of rules that is not there": ("prometheus.yml", "rules/decisions.yml", "rules/decision.yml"),
    "a setting that is not there": ("prometheus.yml", "honor_labels: true", "honour_labels: true"),
    "a wait longer than the interval": ("prometheus.yml", "scrape_timeout: 10s", "scrape_timeout: 20s"),
    "broken targets": ("targets/front.yml", "labels: {part: front}", "label: {part: front}"),
}


@pytest.mark.parametrize("what", FOR_PROMTOOL)
def test_promtool_finds_a_fault(tmp_path: Path, what: str) -> None:
    assert promtool_config(copy_of(tmp_path, *FOR_PROMTOOL[what]) / "prometheus.yml")
