"""Describes rows of the audit log in words: actors that are not people, and changes of a competition."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from vote.db.audit import AuditEntry
from vote.domain.folding import isolated

Piece = str | datetime  # the page writes times, in the reader's zone

# Usernames have no spaces, so none can look like one of these.
AUTOMATICALLY = "the system, automatically"
COMMANDS = "vote "
PARTS = {
    "schedule": AUTOMATICALLY,
    "keeping": AUTOMATICALLY,
    "login": AUTOMATICALLY,
    "register": "by registering",
    "forgotten password": "by a link to reset the password",
    "confirmation": "by a link to confirm the email address",
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
HELD = "paused voting for a moment, to check whether anyone had voted"
RELEASED = "resumed voting"
STATES = {
    "scheduled": "scheduled it",
    "open": "opened voting",
    "closing": "closed voting",
    "closed": "made the result final: no ballots were left to count",
    "archived": "archived it",
    "draft": "made it a draft",
}
DONE_AUTOMATICALLY = {
    "forgotten_at": "removed its voters from the ballot log: every vote is safe in the database",
    "journal_retired_at": "removed who voted what from the journal: the retention period is over",
}
FIELDS = {
    "name": "name",
    "description": "description",
    "opens_at": "opening time",
    "closes_at": "closing time",
    "allow_change": "whether votes can be changed",
    "results_visibility": "who sees the results",
    "organiser_id": "organiser",
}
TIMES = frozenset({"opens_at", "closes_at"})
VALUE_MAX = 300  # characters shown of a value; names and options are shorter, so their differences are never cut off


def part(actor: str) -> str:
    """Return the name of an actor that is not a person: "the system, automatically", "by the command vote admin"."""
    if actor.startswith(COMMANDS):
        return f"by the command {actor}"
    return PARTS.get(actor) or f"the system: {actor}"


def deed(row: AuditEntry) -> list[Piece]:
    """Return a row as a sentence without subject, in pieces: "opened voting", "changed closing time: ", a time, …."""
    if row.subject == "options":
        return [_of_option(row)]
    if row.subject == "decisions":
        return [_of_decision(row)]
    if row.subject == "reinstatements":
        return [_of_reinstatement(row)]
    if row.action == "insert":
        return [f"created as {_plain((row.after or {}).get('status'))}"]
    if row.action == "delete":
        return ["deleted it"]
    return _of_change(row.before or {}, row.after or {})


def _of_change(before: dict[str, Any], after: dict[str, Any]) -> list[Piece]:
    phrases: list[list[Piece]] = []
    if "status" in after:
        again = after["status"] == "open" and before.get("status") in ("closing", "closed")
        phrases.append(["reopened voting" if again else STATES.get(after["status"], str(after["status"]))])
    phrases += [[words] for name, words in DONE_AUTOMATICALLY.items() if after.get(name)]
    for name in sorted(after.keys() - BOOKKEEPING - DONE_AUTOMATICALLY.keys() - {"status"}):
        words = f"changed {FIELDS.get(name, name)}: "
        phrases.append([words, _value(name, before.get(name)), " → ", _value(name, after[name])])
    if not phrases and "held_until" in after and "revision" not in after:
        return [HELD if after["held_until"] else RELEASED]
    return _joined(phrases) or ["updated the voting rules"]


def _joined(phrases: Iterable[list[Piece]]) -> list[Piece]:
    pieces: list[Piece] = []
    for one in phrases:
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
    return f"{'set' if row.action == 'insert' else 'removed'} option {key}: {_plain(label)}"


def _of_decision(row: AuditEntry) -> str:
    after = row.after or {}
    over = []
    if gaps := len(after.get("gaps") or ()):
        over.append(f"{gaps} gap{'' if gaps == 1 else 's'} in the ballot log")
    if unmatched := after.get("unmatched"):
        over.append(f"{unmatched} ballot{'' if unmatched == 1 else 's'} set aside")
    return f"decided that the result stands despite {' and '.join(over)}: “{isolated(str(after.get('reason')))}”"


def _of_reinstatement(row: AuditEntry) -> str:
    after = row.after or {}
    if row.action == "insert":
        return f"decided to count ballots set aside: “{after.get('reason')}”"
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
