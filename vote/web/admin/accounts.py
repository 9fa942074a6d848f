"""The admins' pages of people: find somebody, see what was done to the account, change the role, take a step."""

from flask import Blueprint, Response, redirect, render_template, request
from werkzeug.wrappers import Response as AnyResponse

from vote.actions import account_administration as actions
from vote.db import account_search, audit
from vote.db.account_search import PersonRow
from vote.db.pool import Tx
from vote.errors import NO_SUCH_ACCOUNT, Conflict, InvalidInput, NotFound, VoteError
from vote.server import problems
from vote.web import idempotency, request_context, validation
from vote.web.access import ADMIN, rule
from vote.web.admin.account_steps import STEPS, steps_of
from vote.web.api import paging
from vote.web.api.account_admin_models import Asked, People, RoleChange

admin_accounts = Blueprint("admin_accounts", __name__, url_prefix="/admin/people")

PAGE_SIZE = 50  # people on one page
ROLE_CHANGED = "Role changed."
STEP_PATH = f"/<id:user_id>/<any({', '.join(STEPS)}):name>"


@admin_accounts.get("")
@rule(ADMIN)
def show() -> str:
    """Everybody by name, or those whose name begins as it was asked."""
    asked = Asked.from_query(request.args)
    with request_context.services().db.read() as tx:
        found = account_search.listed(tx, search=asked.search, after=asked.after, limit=PAGE_SIZE + 1)
    return render_template("admin-accounts.html", page=People.page(found, PAGE_SIZE), asked=asked)


@admin_accounts.get("/<id:user_id>")
@rule(ADMIN)
def one(user_id: int) -> AnyResponse:
    """One person: the account, what can be done now, and what was done."""
    return _page(user_id)


@admin_accounts.post("/<id:user_id>/role")
@rule(ADMIN)
def set_role(user_id: int) -> AnyResponse:
    """Give the role that was chosen."""
    once = idempotency.claim("/admin/people/{id}?done=role", about=user_id)
    try:
        role = validation.read(RoleChange).role
        actions.set_role(request_context.services().db, user_id, role=role, by=request_context.me().id, once=once)
    except (Conflict, InvalidInput) as error:
        return _page(user_id, error)
    return redirect(once.address, 303)


@admin_accounts.get(STEP_PATH)
@rule(ADMIN)
def ask(user_id: int, name: str) -> AnyResponse:
    """Say what a step will do, and ask once; what would be refused in any case is refused here."""
    with request_context.services().db.read() as tx:
        who = _found(tx, user_id)
    try:
        STEPS[name].check(user_id, request_context.me().id)
    except Conflict as error:
        return _page(user_id, error)
    if not STEPS[name].fits(who):
        return redirect(f"/admin/people/{user_id}", 303)
    return Response(render_template("admin-account-step.html", who=who, step=STEPS[name]))


@admin_accounts.post(STEP_PATH)
@rule(ADMIN)
def take(user_id: int, name: str) -> AnyResponse:
    """Take the step that was asked about."""
    once = idempotency.claim(f"/admin/people/{{id}}?done={name}", about=user_id)
    try:
        STEPS[name].take(request_context.services(), user_id, request_context.me().id, once)
    except Conflict as error:
        return _page(user_id, error)
    return redirect(once.address, 303)


def _found(tx: Tx, user_id: int) -> PersonRow:
    who = account_search.find(tx, user_id)
    if who is None:
        raise NotFound(NO_SUCH_ACCOUNT)
    return who


def _page(user_id: int, error: VoteError | None = None) -> AnyResponse:
    with request_context.services().db.read() as tx:
        who = _found(tx, user_id)
        done_before = audit.of_person(tx, user_id, after=paging.after())
    page = render_template(
        "admin-account.html",
        who=who,
        done_before=done_before,
        steps=steps_of(who),
        is_me=user_id == request_context.me().id,
        message=error.detail if error else None,
        done=_done(who),
    )
    return Response(page, problems.status_of(error) if error else 200)


def _done(who: PersonRow) -> str | None:
    """What the last step did, if that is still so."""
    name = request.args.get("done", "")
    if name == "role":
        return ROLE_CHANGED
    step = STEPS.get(name)
    return step.done if step and step.is_still_done(who) else None
