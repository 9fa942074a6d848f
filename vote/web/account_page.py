"""The page of one's own account, and its forms: another password, out everywhere, gone for good."""

import time

from flask import Blueprint, Response, redirect, render_template, request, session
from werkzeug.wrappers import Response as AnyResponse

from vote.actions import accounts as actions
from vote.edge import problems
from vote.errors import InvalidInput
from vote.web import body, visitor
from vote.web.access import LOGGED_IN, rule
from vote.web.me import erase_account
from vote.web.models import Deletion, Nothing, PasswordChange
from vote.web.operations import Operation, describe, nothing
from vote.web.own_votes import own_votes

account_page = Blueprint("account", __name__, url_prefix="/account")

MESSAGES = {"password": "Your password is changed. Everywhere else you are logged out."}


@account_page.get("")
@rule(LOGGED_IN)
def show() -> AnyResponse:
    """The page."""
    return _page(message=MESSAGES.get(request.args.get("done", "")))


@account_page.post("/password")
@rule(LOGGED_IN)
@describe(
    Operation(
        summary="Change my password",
        tag="accounts",
        body=PasswordChange,
        answers={204: None},
        description="Every token and session of the account is dead afterwards, except the browser's own one.",
    )
)
def change_password() -> AnyResponse:
    """Another password; everything that was logged in before is out, but the browser that asked."""
    account, parts = visitor.me(), visitor.parts()
    try:
        given = body.read(PasswordChange)
        actions.change_password(
            parts.db, parts.hasher, by=account.id, current=given.current_password, new=given.new_password
        )
    except InvalidInput as error:
        return _wrong(error)
    parts.revoked.add(f"user:{account.id}")
    if not visitor.wants_page():
        return nothing()
    visitor.log_in(account.id, now=time.time())
    return redirect("/account?done=password", 303)


@account_page.post("/logout-everywhere")
@rule(LOGGED_IN)
@describe(
    Operation(
        summary="Log out everywhere",
        tag="accounts",
        body=Nothing,
        body_optional=True,
        answers={204: None},
        description="Every token and session of the account is dead within a second, the one that asks too.",
    )
)
def logout_everywhere() -> AnyResponse:
    """Every token and session of the account is dead within a second."""
    account, parts = visitor.me(), visitor.parts()
    actions.revoke(parts.db, by=account.id, subject=f"user:{account.id}")
    parts.revoked.add(f"user:{account.id}")
    session.clear()
    return redirect("/login", 303) if visitor.wants_page() else nothing()


@account_page.post("/delete")
@rule(LOGGED_IN)
@describe(
    Operation(
        summary="Erase me, with the password",
        tag="accounts",
        body=Deletion,
        answers={204: None},
        description="As DELETE /api/me, for a form.",
    )
)
def delete() -> AnyResponse:
    """The account is blank; its votes stay and carry only a number."""
    account, parts = visitor.me(), visitor.parts()
    try:
        given = body.read(Deletion)
        actions.check_password(parts.db, parts.hasher, by=account.id, password=given.password, field="password")
    except InvalidInput as error:
        return _wrong(error)
    erase_account(account.id)
    return redirect("/", 303) if visitor.wants_page() else nothing()


def _wrong(error: InvalidInput) -> AnyResponse:
    if not visitor.wants_page():
        raise error
    return _page(errors=error.fields, message=error.detail, status=problems.status_of(error))


def _page(*, errors: dict[str, str] | None = None, message: str | None = None, status: int = 200) -> AnyResponse:
    account = visitor.me()
    with visitor.parts().db.read() as tx:
        votes = [vote.model_dump() for vote in own_votes(tx, account.id)]
    page = render_template("account.html", account=account, votes=votes, errors=errors or {}, message=message)
    return Response(page, status, mimetype="text/html")
