"""Rows of the audit log in words: what somebody did to a competition."""

from typing import Any

from vote.db.audit import AuditRow

BOOKKEEPING = frozenset({"rules_version", "revision", "state_changes", "opened_at", "closed_at", "id", "receipt_key"})
STATES = {
    "scheduled": "scheduled it",
    "open": "opened voting",
    "closing": "began to close voting",
    "closed": "made the result final",
    "archived": "took it away",
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


def deed(row: AuditRow) -> str:
    """One row as a sentence without its subject: "opened voting", "changed closing time: … → …"."""
    if row.subject == "options":
        return _of_option(row)
    if row.subject == "decisions":
        return _of_decision(row)
    if row.action == "insert":
        return f"made it, {_plain((row.after or {}).get('status'))}"
    if row.action == "delete":
        return "deleted it"
    before, after = row.before or {}, row.after or {}
    parts = [words for name, words in DONE_BY_ITSELF.items() if after.get(name)]
    if "status" in after:
        again = after["status"] == "open" and before.get("status") in ("closing", "closed")
        parts.append("opened voting again" if again else STATES.get(after["status"], str(after["status"])))
    for name in after.keys() - BOOKKEEPING - DONE_BY_ITSELF.keys() - {"status"}:
        parts.append(f"changed {FIELDS.get(name, name)}: {_plain(before.get(name))} → {_plain(after[name])}")
    return "; ".join(sorted(parts, key=lambda part: part.startswith("changed"))) or "told the ballot log anew"


def _of_option(row: AuditRow) -> str:
    key = row.subject_id.rpartition("/")[2]
    if row.action == "update":
        before, after = row.before or {}, row.after or {}
        return f"changed option {key}: " + ", ".join(
            f"{name} {_plain(before.get(name))} → {_plain(value)}" for name, value in sorted(after.items())
        )
    label = (row.after or row.before or {}).get("label")
    return f"{'set' if row.action == 'insert' else 'took out'} option {key}: {_plain(label)}"


def _of_decision(row: AuditRow) -> str:
    after = row.after or {}
    over = []
    if gaps := len(after.get("gaps") or ()):
        over.append(f"{gaps} break{'' if gaps == 1 else 's'} in the ballot log")
    if unmatched := after.get("unmatched"):
        over.append(f"{unmatched} ballot{'' if unmatched == 1 else 's'} set aside")
    return f"decided that the result stands over {' and '.join(over)}: “{after.get('reason')}”"


def _plain(value: Any) -> str:
    if value is None or value == "":
        return "nothing"
    if isinstance(value, bool):
        return "yes" if value else "no"
    text = str(value).replace("_", " ") if value in ("after_vote", "after_close") else str(value)
    return text if len(text) <= 80 else f"{text[:79]}…"
