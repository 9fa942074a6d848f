"""Runbooks for alerts and incidents have all they should, and every command in them can be typed; with planted faults."""

import re
from pathlib import Path

import pytest

from tests.deploy.observe.commands import commands, problems
from tests.deploy.observe.rules import alerts, content, rules
from tests.unit.tree import ROOT

RUNBOOKS = ROOT / "docs" / "runbooks"
SECTIONS = ["What you see", "First five minutes", "Commands", "It is over when", "Write down"]
WAYS = ["Embedded (`make run`)", "One host (Compose)", "Kubernetes"]
READS_ONLY = re.compile(
    r"(curl -sS? |ps |df |du |free |tail |uptime|(promtool|amtool) check|"
    r"\.venv/bin/vote (--version|verify|backup list|log owner|secrets age))"
)
BOOKS = [RUNBOOKS / f"{name}.md" for name in sorted({rule.name for rule in alerts()})]
INCIDENTS = [RUNBOOKS / f"incident-{name}.md" for name in ("database-corrupted", "down", "slow")]


def test_every_alert_has_a_runbook_and_every_runbook_an_alert() -> None:
    assert {path.name for path in RUNBOOKS.glob("*.md")} == {path.name for path in [*BOOKS, *INCIDENTS]} | {"README.md"}


@pytest.mark.parametrize("path", BOOKS, ids=lambda path: path.stem)
def test_a_runbook_is_whole_and_short(path: Path) -> None:
    text = path.read_text("utf-8")

    assert text.startswith(f"# {path.stem}\n")
    assert re.findall(r"^## (.+)$", text, re.MULTILINE) == SECTIONS
    assert re.findall(r"^### (.+)$", text, re.MULTILINE) == WAYS
    assert len(text.splitlines()) <= 80
    assert re.search(r"^1\. .*\n(.*\n)*?3\. ", text, re.MULTILINE), "steps"
    severities = {rule.labels["severity"] for rule in alerts() if rule.name == path.stem}
    if path.stem != "Watchdog":
        assert {word for word in ("page", "ticket") if re.search(rf"\b{word}\b", text.lower())} >= severities


@pytest.mark.parametrize("path", [*BOOKS, *INCIDENTS], ids=lambda path: path.stem)
def test_every_command_can_be_typed(path: Path) -> None:
    typed = list(commands(path))

    assert {command.heading for command in typed} <= set(WAYS)
    assert {command.text: found for command in typed if (found := problems(command.text))} == {}


@pytest.mark.parametrize("path", [*BOOKS, *INCIDENTS], ids=lambda path: path.stem)
def test_what_a_test_may_run_changes_nothing(path: Path) -> None:
    """Those marked `run` are tried against an installation in that state."""
    marked = [command for command in commands(path) if command.comment == "run"]

    assert [command.text for command in marked if not READS_ONLY.match(command.text)] == []
    assert {command.heading for command in marked} <= {WAYS[0]}


@pytest.mark.parametrize("path", [*BOOKS, *INCIDENTS], ids=lambda path: path.stem)
def test_every_metric_and_alert_in_a_runbook_is_there(path: Path) -> None:
    lists = content(Path(__file__).parent / "metrics.yml")
    known = {name for names in lists.values() for name in names} | {rule.name for rule in rules()}
    text = path.read_text("utf-8")

    assert set(re.findall(r"\bvote[_:][\w:]+", text)) - {"vote_web", "vote_replica"} <= known
    assert set(re.findall(r"\b(?:Vote[A-Z]\w+|Watchdog)\b", text)) <= {rule.name for rule in alerts()}


FAULTS = {
    "a program": ("ps -ef", "htop -ef"),
    "a subcommand of vote": (".venv/bin/vote backup daily", ".venv/bin/vote backup nightly"),
    "a command of vote": (".venv/bin/vote verify", ".venv/bin/vote status"),
    "an option of vote": (".venv/bin/vote secrets age --max-days 90", ".venv/bin/vote secrets age --days 90"),
    "a service": ("docker compose restart worker-1", "docker compose restart worker"),
    "a subcommand of Compose": ("docker compose ps --all", "docker compose list --all"),
    "an option of Compose": ("docker compose logs --tail 50 db", "docker compose logs --lines 50 db"),
    "a command inside a container": (
        "docker compose exec backup vote backup verify",
        "docker compose exec backup vote backup prove",
    ),
    "a script": ("deploy/compose/restore", "deploy/compose/recover"),
    "an option of a script": ("deploy/compose/restore --to-time NOW", "deploy/compose/restore --until NOW"),
    "a deployment": ("kubectl rollout restart deployment/vote-app", "kubectl rollout restart deployment/vote"),
    "an option of kubectl": ("kubectl logs deployment/vote-app --tail 5", "kubectl logs deployment/vote-app --lines 5"),
    "a command inside a pod": (
        "kubectl exec statefulset/vote-backup -- vote verify",
        "kubectl exec statefulset/vote-backup -- vote verity",
    ),
    "a route": ("curl -s http://127.0.0.1:8080/ready", "curl -s http://127.0.0.1:8080/readiness"),
    "what is asked": ("ask /ready", "ask /readiness"),
    "a make target": ("make run", "make start"),
    "a file": (
        "promtool check config deploy/prometheus/prometheus.yml",
        "promtool check config deploy/prometheus/prometheus.yaml",
    ),
    "a query": ('sql "EXPLAIN SELECT 1"', 'sql "EXPLAIN ANALYZE DELETE FROM votes"'),
    "a version to go back to": ("git checkout VERSION", "git reset VERSION"),
    "a pod": ("kubectl logs POD --tail 50", "kubectl logs NAME --tail 50"),
    "before a file": ("docker compose logs --since 2h > incident.log", "docker compose logs --from 2h > incident.log"),
    "a probe of a store": (
        "docker compose exec db pg_isready --host /run/db",
        "docker compose exec db pg_ready --host /run/db",
    ),
    "the second of two": ("free -m; df -h .vote", "free -m; df --human .vote"),
    "behind a pipe": ("ask /metrics | grep -E vote_", "ask /metrics | grep --regex vote_"),
}


@pytest.mark.parametrize("what", FAULTS)
def test_a_planted_fault_is_found(what: str) -> None:
    right, wrong = FAULTS[what]

    assert problems(right) == []
    assert problems(wrong)
