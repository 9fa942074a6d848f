"""The runbooks of the three incidents, docs/incident-response.md and docs/contacts.example.md: every line of the production
checklist (“Incident Response”, “Deployment Contacts”) is there, and messages can be sent as they are; with planted faults.
"""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.deploy.observe.test_runbooks import INCIDENTS, RUNBOOKS, SECTIONS, WAYS
from tests.unit.tree import ROOT, tracked

RESPONSE = (ROOT / "docs" / "incident-response.md").read_text("utf-8")
CONTACTS = (ROOT / "docs" / "contacts.example.md").read_text("utf-8")
WORDS_AT_MOST = 60
PLACEHOLDER = re.compile(r"\b[A-Z]{3,}\b")


class Step(NamedTuple):
    """A line of the checklist as it stands there, how the page's step begins, and the command that it names."""

    line: str
    lead: str
    command: str = ""


CHECKLIST = {
    "incident-down": [
        Step("Check service status: `kubectl get pods`", "Check service status", "kubectl get pods"),
        Step("Check logs: `kubectl logs pod-name`", "Check logs", "kubectl logs POD"),
        Step("Check database connectivity", "Check database connectivity"),
        Step("Check Redis connectivity", "Check Redis connectivity"),
        Step(
            "Restart service: `kubectl rollout restart deployment/vote-app`",
            "Restart the service",
            "kubectl rollout restart deployment/vote-app",
        ),
        Step(
            "If still down, roll back: `kubectl rollout undo deployment/vote-app`",
            "If still down, roll back",
            "kubectl rollout undo deployment/vote-app",
        ),
        Step("Notify team", "Notify the team"),
        Step("Document incident", "Document the incident"),
    ],
    "incident-database-corrupted": [
        Step("Restore from last backup", "Restore from the last backup"),
        Step("Replay vote transactions", "Replay the vote transactions"),
        Step("Verify data integrity", "Verify data integrity", "vote verify"),
        Step("Check for data loss", "Check for data loss"),
        Step("Post-incident review", "Hold the post-incident review"),
    ],
    "incident-slow": [
        Step("Check CPU/memory usage", "Check CPU and memory usage", "kubectl top pods"),
        Step("Check database slow query log", "Check the database's slow query log"),
        Step("Check connection pool exhaustion", "Check connection pool exhaustion"),
        Step("Scale up if needed", "Scale up if needed", "kubectl scale deployment/vote-app"),
        Step("Optimize slow queries", "Optimise slow queries"),
    ],
}
DONE_BY_TALKING = {"incident-down": {7, 8}, "incident-database-corrupted": {5}, "incident-slow": set[int]()}
CONTACT_LINES = ["DevOps Lead", "Database Admin", "Security Officer", "Application Owner"]


def section(text: str, heading: str) -> str:
    """Return what stands under a heading, up to the next one of its level or above."""
    level, in_block, found = heading.index(" "), False, list[str]()
    lines = text.splitlines()
    for line in lines[lines.index(heading) + 1 :]:
        in_block ^= line.startswith("```")
        if not in_block and re.match(rf"#{{1,{level}}} ", line):
            break
        found.append(line)
    return "\n".join(found)


def leads(text: str) -> list[tuple[int, str]]:
    """Return the numbered steps of a page, by the words in bold that each begins with."""
    found = re.findall(r"^(\d+)\. \*\*(.+?)\.?\*\*", section(text, "## Steps"), re.MULTILINE)
    return [(int(number), lead) for number, lead in found]


def steps_with_commands(text: str, way: str) -> set[int]:
    """Return the numbers of the steps that a way of deploying has a command or a sentence for."""
    part = section(text, f"### {way}")
    named = re.findall(r"^# (\d[\d, and]*)|[Ss]tep (\d)", part, re.MULTILINE)
    return {int(number) for groups in named for number in re.findall(r"\d", "".join(groups))}


def messages(text: str) -> Iterator[tuple[str, str, str]]:
    """Yield to whom, when and what is said: the quoted blocks under “Messages”."""
    for people in ("voters", "organisers"):
        part = section(text, f"### To {people}")
        for moment, quoted in re.findall(r"^\*\*(.+)\*\*\n\n((?:> .*\n?)+)", part, re.MULTILINE):
            yield people, moment, " ".join(line.removeprefix("> ") for line in quoted.splitlines())


def explained(text: str) -> set[str]:
    """Return the words in capitals that the table above the messages explains."""
    part = section(text, "## Messages").split("### To voters", maxsplit=1)[0]
    cells = re.findall(r"^\| (`[A-Z].*?) \| \S", part, re.MULTILINE)
    return {word for cell in cells for word in PLACEHOLDER.findall(cell)}


def faults_in_messages(text: str) -> list[str]:
    """Return what keeps a message from being sent as it is."""
    used, found = set[str](), list[str]()
    for people, moment, said in messages(text):
        used |= set(PLACEHOLDER.findall(said))
        if len(said.split()) > WORDS_AT_MOST:
            found.append(f"{people}, {moment}: {len(said.split())} words")
    found += [f"{word} is not explained" for word in sorted(used - explained(text))]
    return [*found, *(f"{word} is in no message" for word in sorted(explained(text) - used))]


@pytest.mark.parametrize("path", INCIDENTS, ids=lambda path: path.stem)
def test_an_incident_is_whole_and_short(path: Path) -> None:
    assert {incident.stem for incident in INCIDENTS} == set(CHECKLIST)
    text = path.read_text("utf-8")
    outside = re.sub(r"^```.*?^```", "", text, flags=re.MULTILINE | re.DOTALL)

    assert text.startswith("# Incident: ")
    assert re.findall(r"^## (.+)$", outside, re.MULTILINE) == [*SECTIONS[:2], "Steps", *SECTIONS[2:]]
    assert re.findall(r"^### (.+)$", outside, re.MULTILINE) == WAYS
    assert len(text.splitlines()) <= 140


@pytest.mark.parametrize("name", CHECKLIST)
def test_every_step_of_the_checklist_is_a_step_of_the_page(name: str) -> None:
    text = (RUNBOOKS / f"{name}.md").read_text("utf-8")

    assert leads(text) == [(number, step.lead) for number, step in enumerate(CHECKLIST[name], 1)]
    kubernetes = section(text, "### Kubernetes")
    assert [step.line for step in CHECKLIST[name] if step.command not in kubernetes] == []


@pytest.mark.parametrize("name", CHECKLIST)
@pytest.mark.parametrize("way", WAYS)
def test_every_step_can_be_taken_in_every_way_of_deploying(name: str, way: str) -> None:
    text = (RUNBOOKS / f"{name}.md").read_text("utf-8")
    numbers = set(range(1, len(CHECKLIST[name]) + 1))

    assert steps_with_commands(text, way) == numbers - DONE_BY_TALKING[name]


@pytest.mark.parametrize("document", ["docs/runbooks/README.md", "docs/incident-response.md"])
def test_who_looks_for_an_incident_finds_its_page(document: str) -> None:
    text = (ROOT / document).read_text("utf-8")

    assert [path.name for path in INCIDENTS if f"{path.name})" not in text] == []


def test_the_plan_has_all_its_parts() -> None:
    headings = re.findall(r"^## (.+)$", RESPONSE, re.MULTILINE)

    assert headings == ["Roles", "Severities", "Contacts", "The first hour", "Messages", "Review"]


def test_the_contacts_of_the_checklist_are_there_and_each_has_a_role() -> None:
    lines = re.findall(r"^- \*\*(.+)\*\*: \[Name\], \[phone\]", CONTACTS, re.MULTILINE)
    roles = section(RESPONSE, "## Roles")

    assert lines == CONTACT_LINES
    assert [contact for contact in CONTACT_LINES if contact not in roles] == []


def test_the_filled_in_contacts_never_get_into_git() -> None:
    assert "/contacts.md" in (ROOT / ".gitignore").read_text("utf-8").splitlines()
    assert ROOT / "contacts.md" not in tracked("*.md")


def test_messages_are_short_and_every_placeholder_is_explained() -> None:
    assert faults_in_messages(RESPONSE) == []


def test_voters_and_organisers_get_a_message_at_the_same_moments() -> None:
    told = [(people, moment) for people, moment, _ in messages(RESPONSE)]
    voters = [moment for people, moment in told if people == "voters"]

    assert [moment for people, moment in told if people == "organisers"] == voters
    assert {re.split(r"\W", moment)[0] for moment in voters} == {"Before", "During", "After"}


@pytest.mark.parametrize(
    ("right", "wrong"),
    [
        ("> Voting in VOTE has been", "> Voting in NAME has been"),
        ("| `REPLY` | an address", "| reply | an address"),
        ("> Voting in VOTE has been", f"> {'Please be patient. ' * 20}Voting in VOTE has been"),
        ("| `VOTE` |", "| `AUTHOR` | whoever writes |\n| `VOTE` |"),
    ],
    ids=["unknown", "not explained", "long", "not used"],
)
def test_a_planted_fault_in_the_messages_is_found(right: str, wrong: str) -> None:
    assert right in RESPONSE
    assert faults_in_messages(RESPONSE.replace(right, wrong))


@pytest.mark.parametrize(
    ("right", "wrong"),
    [("4. **Check Redis connectivity.**", "4. Check Redis."), ("6. **If still down", "7. **If still down")],
    ids=["left out", "out of order"],
)
def test_a_step_that_is_left_out_is_found(right: str, wrong: str) -> None:
    text = (RUNBOOKS / "incident-down.md").read_text("utf-8")

    assert right in text
    assert leads(text.replace(right, wrong)) != leads(text)


def test_a_step_without_a_command_is_found() -> None:
    text = (RUNBOOKS / "incident-slow.md").read_text("utf-8")
    without = text.replace("# 3\nask /metrics", "ask /metrics")

    assert [3 in steps_with_commands(without, way) for way in WAYS] == [True, False, False]
