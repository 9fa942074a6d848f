"""The API for people's own accounts: show, export all data, erase."""

from datetime import UTC, datetime
from typing import Any

from flask import Blueprint, Response

from vote.actions import accounts as actions
from vote.db import account_export, devices
from vote.db.idempotency_keys import Claim
from vote.db.pool import Tx
from vote.web import request_context, tokens, validation
from vote.web.access import LOGGED_IN, rule
from vote.web.account import page_context
from vote.web.account.votes import own_votes
from vote.web.api.account_models import Deletion
from vote.web.api.me_models import Export, User
from vote.web.api.operations import Operation, answer, nothing

me = Blueprint("me", __name__, url_prefix="/api/me")


@me.get("")
@rule(LOGGED_IN)
@Operation(tag="accounts", answers={200: User})
def show() -> Response:
    """Show my account."""
    return answer(User.model_validate(request_context.me()))


@me.get("/export")
@rule(LOGGED_IN)
@Operation(tag="accounts", answers={200: Export})
def export() -> Response:
    """Export all my data.

    The account, votes with receipts, every ballot cast, competitions, devices and audit entries. Complete as of
    `as_of`, except for votes that are accepted but not yet recorded.
    """
    account, services, as_of = request_context.me(), request_context.services(), datetime.now(UTC)
    with services.db.read() as tx:
        # The bulk comes from the replica if it is up to date; personal data comes from the primary.
        cast = services.replica.ask_up_to_now(lambda there: _cast(there, account.id), tx) or _cast(tx, account.id)
        everything = Export(
            as_of=as_of,
            user=account,
            first_password=account.first_password,
            last_login_on=account_export.last_login_of(tx, account.id),
            devices=devices.of_person(tx, account.id),
            audit=account_export.audit_of(tx, account.id),
            **cast,
        )
    # A file, as GDPR Article 20 asks for.
    return answer(everything, headers={"Content-Disposition": 'attachment; filename="vote-my-data.json"'})


def _cast(tx: Tx, person: int) -> dict[str, Any]:
    votes = own_votes(tx, person)
    return {
        "votes": votes,
        "ballots": account_export.ballots_of(tx, person, [vote.receipt for vote in votes]),
        "competitions": account_export.competitions_of(tx, person),
    }


@me.delete("")
@rule(LOGGED_IN)
@Operation(tag="accounts", body=Deletion, answers={204: None}, problems=(409, 429))
def erase() -> Response:
    """Delete my account.

    Erases username, email address and password for good. Votes still count but carry only a number. The password is
    always required. 409: you are the last admin.
    """
    page_context.check_password(validation.read(Deletion).password, field="password")
    erase_account(request_context.me().id)
    return nothing()


def erase_account(user_id: int, *, once: Claim | None = None) -> None:
    """Erase the account of the logged-in person: in this process at once, in all others within a second."""
    services = request_context.services()
    actions.erase(services.db, services.log, by=user_id, once=once)
    tokens.know_ended(services, user_id)
    request_context.log_out()
