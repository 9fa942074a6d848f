"""Rows of the audit log in words: who it was where it was no person, and what was done to a competition."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from vote.db.audit import AuditEntry
from vote.domain.folding import isolated

Piece = str | datetime  # a moment is written by the page, in the reader's zone

# No user name has a space in it, so that none can look like one of these.
BY_ITSELF = "by itself"
COMMANDS = "vote "
PARTS = {
    "schedule": BY_ITSELF,
    "keeping": BY_ITSELF,
    "login": BY_ITSELF,
    "register": "by registering",
    "forgotten password": "by a link for a new password",
    "confirmation": "by a link to confirm the address",
}
BOOKKEEPING = frozenset(
    {
        "rules_version",
        "revision",
        "state_changes",
        "opened_at",
        "closed_at",
        "reopened_at",
        "previous_final_at",
        "held_until",
        "id",
        "receipt_key",
    }
)
HELD = "stopped voting for a moment, to see whether anybody had voted"
RELEASED = "let voting go on"
STATES = {
    "scheduled": "scheduled it",
    "open": "opened voting",
    "closing": "began to close voting",
    "closed": "made the result final: no ballot was left to be counted",
    "archived": "archived it",
    "draft": "made it a draft",
}
DONE_BY_ITSELF = {
    "forgotten_at": "let the ballot log forget it: every vote is safe in the database",
    "journal_retired_at": "took who voted what out of the journal: its time is over",
}
FIELDS = {
    "name": "name",
    "description": "description",
    "opens_at": "opening time",
    "closes_at": "closing time",
    "allow_change": "whether votes may change",
    "results_visibility": "who sees the results",
    "organiser_id": "organiser",
}
TIMES = frozenset({"opens_at", "closes_at"})
VALUE_MAX = 300  # characters shown of a value: names and options are shorter, so that no difference in them is cut off


def part(actor: str) -> str:
    """Who it was when it was no person: "by itself", "by the command vote admin"."""
    if actor.startswith(COMMANDS):
        return f"by the command {actor}"
    return PARTS.get(actor) or f"a part of the system: {actor}"


def deed(row: AuditEntry) -> list[Piece]:
    """One row as a sentence without its subject, in pieces: "opened voting", "changed closing time: ", a time, …."""
    if row.subject == "options":
        return [_of_option(row)]
    if row.subject == "decisions":
        return [_of_decision(row)]
    if row.subject == "reinstatements":
        return [_of_reinstatement(row)]
    if row.action == "insert":
        return [f"made it, {_plain((row.after or {}).get('status'))}"]
    if row.action == "delete":
        return ["deleted it"]
    return _of_change(row.before or {}, row.after or {})


def _of_change(before: dict[str, Any], after: dict[str, Any]) -> list[Piece]:
    services: list[list[Piece]] = []
    if "status" in after:
        again = after["status"] == "open" and before.get("status") in ("closing", "closed")
        services.append(["opened voting again" if again else STATES.get(after["status"], str(after["status"]))])
    services += [[words] for name, words in DONE_BY_ITSELF.items() if after.get(name)]
    for name in sorted(after.keys() - BOOKKEEPING - DONE_BY_ITSELF.keys() - {"status"}):
        words = f"changed {FIELDS.get(name, name)}: "
        services.append([words, _value(name, before.get(name)), " → ", _value(name, after[name])])
    if not services and "held_until" in after and "revision" not in after:
        return [HELD if after["held_until"] else RELEASED]
    return _joined(services) or ["told the ballot log anew"]


def _joined(services: Iterable[list[Piece]]) -> list[Piece]:
    pieces: list[Piece] = []
    for one in services:
        pieces += ["; ", *one] if pieces else one
    return pieces


def _of_option(row: AuditEntry) -> str:
    key = row.subject_id.rpartition("/")[2]
    if row.action == "update":
        before, after = row.before or {}, row.after or {}
        return f"changed option {key}: " + ", ".join(
            f"{name} {_plain(before.get(name))} → {_plain(value)}" for name, value in sorted(after.items())
        )
    label = (row.after or row.before or {}).get("label")
    return f"{'set' if row.action == 'insert' else 'took out'} option {key}: {_plain(label)}"


def _of_decision(row: AuditEntry) -> str:
    after = row.after or {}
    over = []
    if gaps := len(after.get("gaps") or ()):
        over.append(f"{gaps} break{'' if gaps == 1 else 's'} in the ballot log")
    if unmatched := after.get("unmatched"):
        over.append(f"{unmatched} ballot{'' if unmatched == 1 else 's'} set aside")
    return f"decided that the result stands over {' and '.join(over)}: “{isolated(str(after.get('reason')))}”"


def _of_reinstatement(row: AuditEntry) -> str:
    after = row.after or {}
    if row.action == "insert":
        return f"decided that ballots set aside count: “{after.get('reason')}”"
    ballots = after.get("ballots")
    return f"counted {ballots} ballot{'' if ballots == 1 else 's'} that had been set aside"


def _value(name: str, value: Any) -> Piece:
    return datetime.fromisoformat(value) if name in TIMES and value else _plain(value)


def _plain(value: Any) -> str:
    if value is None or value == "":
        return "nothing"
    if isinstance(value, bool):
        return "yes" if value else "no"
    text = str(value).replace("_", " ") if value in ("after_vote", "after_close") else str(value)
    return isolated(text if len(text) <= VALUE_MAX else f"{text[: VALUE_MAX - 1]}…")
