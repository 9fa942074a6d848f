"""The admin pages of accounts: find one, see its history, change its role, take a step."""

from flask import Blueprint, Response, redirect, render_template, request
from werkzeug.wrappers import Response as AnyResponse

from vote.actions import account_administration as actions
from vote.db import account_search, audit
from vote.db.account_search import PersonRow
from vote.errors import Conflict, InvalidInput, VoteError
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
    """Show accounts by name; with a search, those whose name begins with it."""
    asked = Asked.from_query(request.args)
    with request_context.services().db.read() as tx:
        found = account_search.listed(tx, search=asked.search, after=asked.after, limit=PAGE_SIZE + 1)
    return render_template("admin-accounts.html", page=People.page(found, PAGE_SIZE), asked=asked)


@admin_accounts.get("/<id:user_id>")
@rule(ADMIN)
def one(user_id: int) -> AnyResponse:
    """Show one account, with its possible steps and its history."""
    return _page(user_id)


@admin_accounts.post("/<id:user_id>/role")
@rule(ADMIN)
def set_role(user_id: int) -> AnyResponse:
    """Change the role."""
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
    """Explain a step and ask for confirmation; refuse it here if it would be refused anyway."""
    with request_context.services().db.read() as tx:
        who = account_search.get(tx, user_id)
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
    """Take a confirmed step."""
    once = idempotency.claim(f"/admin/people/{{id}}?done={name}", about=user_id)
    try:
        STEPS[name].take(request_context.services(), user_id, request_context.me().id, once)
    except Conflict as error:
        return _page(user_id, error)
    return redirect(once.address, 303)


def _page(user_id: int, error: VoteError | None = None) -> AnyResponse:
    with request_context.services().db.read() as tx:
        who = account_search.get(tx, user_id)
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
    """Return the sentence for the last step while its effect still holds."""
    name = request.args.get("done", "")
    if name == "role":
        return ROLE_CHANGED
    step = STEPS.get(name)
    return step.done if step and step.is_still_done(who) else None
