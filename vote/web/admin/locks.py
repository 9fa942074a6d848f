"""Locked accounts, for admins: the list as a page and by API. Unlocking one is a step of its person (`people_steps.py`)."""

from flask import Blueprint, Response, render_template

from vote.db import account_locks as stored
from vote.db.account_locks import LockRow
from vote.web import request_context
from vote.web.access import ADMIN, rule
from vote.web.api.account_admin_models import Lock, Locks
from vote.web.api.operations import Operation, answer, describe

locks = Blueprint("locks", __name__)

LATEST = 200


@locks.get("/api/admin/locks")
@rule(ADMIN)
@describe(
    Operation(
        summary="List locked accounts",
        tag="administration",
        answers={200: Locks},
        description=(
            "An account is locked after 100 wrong passwords in a day from unknown devices. Until that day is over, only "
            f"devices its owner has used before can log in. Returns the latest {LATEST}."
        ),
    )
)
def listed() -> Response:
    """The newest lock first."""
    found, count = _latest()
    return answer(Locks(count=count, locks=[Lock.model_validate(one) for one in found]))


@locks.get("/admin/locks")
@rule(ADMIN)
def show() -> str:
    """The same for people."""
    found, count = _latest()
    return render_template("admin-locks.html", locks=found, count=count)


def _latest() -> tuple[list[LockRow], int]:
    with request_context.services().db.read() as tx:
        return stored.listed(tx, limit=LATEST), stored.count(tx)
