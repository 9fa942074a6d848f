"""Changes that admins make to other people's accounts. Each is audited and takes effect everywhere within a second."""

import structlog

from vote.db import account_search, users
from vote.db.account_search import PersonRow
from vote.db.idempotency_keys import Claim
from vote.db.pool import Database
from vote.domain import policy
from vote.domain.person import Role, actor_of

logger = structlog.get_logger()


def set_role(db: Database, user_id: int, *, role: Role, by: int | str, once: Claim | None = None) -> PersonRow:
    """Give the account a role, from its next request on. The same role changes nothing. Raises NotFound or Conflict."""
    with db.transaction(by=by, once=once) as tx:
        person = account_search.get(tx, user_id)
        if person.role == role:
            return person
        if person.role == "admin":
            policy.check_not_oneself(user_id, by)
        users.set_role(tx, user_id, role)
        changed = account_search.get(tx, user_id)
    logger.info("role changed", actor=actor_of(by), account=user_id, role=role, role_before=person.role)
    return changed


def disable(db: Database, user_id: int, *, by: int | str, once: Claim | None = None) -> PersonRow:
    """End every login of the account and refuse new ones. A second call ends them again. Raises NotFound or Conflict."""
    with db.transaction(by=by, once=once) as tx:
        policy.check_not_oneself(user_id, by)
        users.set_disabled(tx, user_id, disabled=True)
        users.revoke(tx, f"user:{user_id}")
        disabled = account_search.get(tx, user_id)
    logger.info("account disabled", actor=actor_of(by), account=user_id)
    return disabled


def enable(db: Database, user_id: int, *, by: int | str, once: Claim | None = None) -> PersonRow:
    """Let the account log in again; logins that were ended stay ended. Raises NotFound."""
    with db.transaction(by=by, once=once) as tx:
        users.set_disabled(tx, user_id, disabled=False)
        enabled = account_search.get(tx, user_id)
    logger.info("account enabled", actor=actor_of(by), account=user_id)
    return enabled


def log_out(db: Database, user_id: int, *, by: int | str, once: Claim | None = None) -> PersonRow:
    """End every login of the account; it may log in again. Raises NotFound."""
    with db.transaction(by=by, once=once) as tx:
        person = account_search.get(tx, user_id)
        users.revoke(tx, f"user:{user_id}")
    logger.info("account logged out", actor=actor_of(by), account=user_id)
    return person
