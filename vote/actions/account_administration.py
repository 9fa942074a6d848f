"""What admins do to other people's accounts. Each change is audited and takes effect everywhere within a second.

`web/access.py` says who may call these; `by` is an admin's id or the name of a command. There is always an admin: the
database refuses to disable or demote the last one who can log in (`keep_an_admin`).
"""

from vote.auth import TOKEN_HOURS
from vote.db import account_search, users
from vote.db.account_search import PersonRow
from vote.db.idempotency_keys import Claim
from vote.db.pool import Database, Tx
from vote.domain import policy
from vote.domain.person import Role
from vote.errors import NO_SUCH_ACCOUNT, NotFound


def set_role(db: Database, user_id: int, *, role: Role, by: int | str, once: Claim | None = None) -> PersonRow:
    """Give the account a role, from its next request on. The same role changes nothing. Raises NotFound or Conflict."""
    with db.transaction(by=by, once=once) as tx:
        person = _get(tx, user_id)
        if person.role == role:
            return person
        if person.role == "admin":
            _check_not_oneself(person, by)
        users.set_role(tx, user_id, role)
        return _get(tx, user_id)


def disable(db: Database, user_id: int, *, by: int | str, once: Claim | None = None) -> PersonRow:
    """End every login of the account and refuse new ones. A second call ends them again. Raises NotFound or Conflict."""
    with db.transaction(by=by, once=once) as tx:
        person = _get(tx, user_id)
        _check_not_oneself(person, by)
        users.set_disabled(tx, user_id, disabled=True)
        users.revoke(tx, f"user:{user_id}", keep_hours=TOKEN_HOURS)
        return _get(tx, user_id)


def enable(db: Database, user_id: int, *, by: int | str, once: Claim | None = None) -> PersonRow:
    """Let the account log in again; logins that were ended stay ended. Raises NotFound."""
    with db.transaction(by=by, once=once) as tx:
        _get(tx, user_id)
        users.set_disabled(tx, user_id, disabled=False)
        return _get(tx, user_id)


def log_out(db: Database, user_id: int, *, by: int | str, once: Claim | None = None) -> PersonRow:
    """End every login of the account; it may log in again. Raises NotFound."""
    with db.transaction(by=by, once=once) as tx:
        person = _get(tx, user_id)
        users.revoke(tx, f"user:{user_id}", keep_hours=TOKEN_HOURS)
        return person


def _get(tx: Tx, user_id: int) -> PersonRow:
    person = account_search.find(tx, user_id)
    if person is None:
        raise NotFound(NO_SUCH_ACCOUNT)
    return person


def _check_not_oneself(person: PersonRow, by: int | str) -> None:
    if isinstance(by, int):
        policy.check_not_oneself(person.id, by)
