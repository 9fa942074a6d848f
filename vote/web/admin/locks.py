"""Lists locked accounts for admins, as a page and by API. `account_steps.py` has the step that unlocks one."""

from typing import NamedTuple

from flask import Blueprint, Response, render_template

from vote.db import account_locks as stored
from vote.web import request_context
from vote.web.access import ADMIN, rule
from vote.web.api.account_admin_models import Locks
from vote.web.api.operations import Operation, answer

locks = Blueprint("locks", __name__)

LATEST = 200


@locks.get("/api/admin/locks")
@rule(ADMIN)
@Operation(tag="administration", answers={200: Locks})
def listed() -> Response:
    """List locked accounts.

    An account is locked after 100 wrong passwords in a day from unknown devices. Until that day is over, only devices
    its owner has used before can log in. Returns the latest 200.
    """
    found, count = _latest()
    return answer(Locks(count=count, locks=found))


@locks.get("/admin/locks")
@rule(ADMIN)
def show() -> str:
    """Show locked accounts."""
    found, count = _latest()
    return render_template("admin-locks.html", locks=found, count=count)


def _latest() -> tuple[list[NamedTuple], int]:
    with request_context.services().db.read() as tx:
        return stored.listed(tx, limit=LATEST), stored.count(tx)
