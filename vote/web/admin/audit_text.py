"""Describes rows of the audit log that concern an account, in words."""

from vote.db.audit import AuditEntry

CHANGED = {
    "password_hash": "changed the password",
    "email": "changed the email address",
    "username": "changed the username",
    "confirmed_at": "confirmed the email address",
}


def person_deed(row: AuditEntry) -> str:
    """Return a row as a sentence without subject: "disabled it", "changed the role: voter → organiser"."""
    if row.subject == "login_locks":
        return "locked it after too many wrong passwords" if row.action == "insert" else "unlocked it"
    if row.action == "insert":
        return f"created as {(row.after or {}).get('role')}"
    if row.action == "log out":
        return "logged it out everywhere"
    before, after = row.before or {}, row.after or {}
    if after.get("erased_at"):
        return "erased it"
    said = [words for name, words in CHANGED.items() if name in after]
    if "role" in after:
        said.append(f"changed the role: {before.get('role')} → {after['role']}")
    if "disabled_at" in after:
        said.append("disabled it" if after["disabled_at"] else "enabled it again")
    return "; ".join(said) or f"changed {', '.join(sorted(after))}"
