"""What admins do to other people's accounts. Each is audited, and counts everywhere within a second.

Who may call these is said at the routes (`web/access.py`); `by` is an admin's id or the name of a command. An admin always
stays: the database refuses to disable the last one who can log in, or to make them anything less (`keep_an_admin`).
"""

from vote.auth import TOKEN_HOURS
from vote.db import account_search, users
from vote.db.account_search import PersonRow
from vote.db.idempotency_keys import Claim
from vote.db.pool import Database, Tx
from vote.domain import policy
from vote.domain.person import Role
from vote.errors import NotFound


def set_role(db: Database, user_id: int, *, role: Role, by: int | str, once: Claim | None = None) -> PersonRow:
    """Give somebody a role; it counts from their next request on. Raises NotFound or Conflict."""
    with db.transaction(by=by, once=once) as tx:
        person = _found(tx, user_id)
        if person.role == role:
            return person
        if person.role == "admin":
            _check_not_oneself(person, by)
        users.set_role(tx, user_id, role)
        return _found(tx, user_id)


def disable(db: Database, user_id: int, *, by: int | str, once: Claim | None = None) -> PersonRow:
    """End every login of somebody, and take no new one. Asked twice it ends them again. Raises NotFound or Conflict."""
    with db.transaction(by=by, once=once) as tx:
        person = _found(tx, user_id)
        _check_not_oneself(person, by)
        users.set_disabled(tx, user_id, disabled=True)
        users.revoke(tx, f"user:{user_id}", keep_hours=TOKEN_HOURS)
        return _found(tx, user_id)


def enable(db: Database, user_id: int, *, by: int | str, once: Claim | None = None) -> PersonRow:
    """Let somebody log in again; what was ended stays ended. Raises NotFound."""
    with db.transaction(by=by, once=once) as tx:
        _found(tx, user_id)
        users.set_disabled(tx, user_id, disabled=False)
        return _found(tx, user_id)


def log_out(db: Database, user_id: int, *, by: int | str, once: Claim | None = None) -> PersonRow:
    """End every login of somebody; they may log in again. Raises NotFound."""
    with db.transaction(by=by, once=once) as tx:
        person = _found(tx, user_id)
        users.revoke(tx, f"user:{user_id}", keep_hours=TOKEN_HOURS)
        return person


def _found(tx: Tx, user_id: int) -> PersonRow:
    person = account_search.find(tx, user_id)
    if person is None:
        raise NotFound("There is nobody with this number.")
    return person


def _check_not_oneself(person: PersonRow, by: int | str) -> None:
    if isinstance(by, int):
        policy.check_not_oneself(person.id, by)
