"""The admin API for accounts: find, change the role, disable, enable, unlock, log out everywhere."""

from flask import Blueprint, Response, request

from vote.actions import account_administration as actions
from vote.db import account_search
from vote.db.account_search import PersonRow
from vote.web import request_context, validation
from vote.web.access import ADMIN, rule
from vote.web.admin.account_steps import STEPS
from vote.web.api import paging
from vote.web.api.account_admin_models import Asked, People, PersonOut, RoleChange
from vote.web.api.models import Nothing
from vote.web.api.operations import Operation, answer

people_api = Blueprint("people_api", __name__, url_prefix="/api/admin/people")

PAGE_SIZE = 100  # people in one answer


@people_api.get("")
@rule(ADMIN)
@Operation(
    tag="administration",
    answers={200: People},
    query={"search": "The beginning of a username, or a complete email address.", **paging.QUERY},
)
def listed() -> Response:
    """List accounts by username."""
    asked = Asked.from_query(request.args)
    with request_context.services().db.read() as tx:
        found = account_search.listed(tx, search=asked.search, after=asked.after, limit=PAGE_SIZE + 1)
    return answer(People.page(found, PAGE_SIZE))


@people_api.get("/<id:user_id>")
@rule(ADMIN)
@Operation(tag="administration", answers={200: PersonOut})
def show(user_id: int) -> Response:
    """Show an account."""
    with request_context.services().db.read() as tx:
        return _answer(account_search.get(tx, user_id))


@people_api.post("/<id:user_id>/role")
@rule(ADMIN)
@Operation(tag="administration", body=RoleChange, answers={200: PersonOut}, problems=(409,))
def set_role(user_id: int) -> Response:
    """Change an account's role.

    Takes effect on their next request. 409: this is the last admin, or your own admin role.
    """
    role = validation.read(RoleChange).role
    return _answer(actions.set_role(request_context.services().db, user_id, role=role, by=request_context.me().id))


@people_api.post("/<id:user_id>/disable")
@rule(ADMIN)
@Operation(tag="administration", body=Nothing, answers={200: PersonOut}, problems=(409,))
def disable(user_id: int) -> Response:
    """Disable an account.

    Revokes its tokens and sessions within a second. Nobody can log in to it. Its votes still count.
    """
    return _take("disable", user_id)


@people_api.post("/<id:user_id>/enable")
@rule(ADMIN)
@Operation(tag="administration", body=Nothing, answers={200: PersonOut})
def enable(user_id: int) -> Response:
    """Enable an account again.

    Its old tokens and sessions stay revoked.
    """
    return _take("enable", user_id)


@people_api.post("/<id:user_id>/logout")
@rule(ADMIN)
@Operation(tag="administration", body=Nothing, answers={200: PersonOut})
def log_out(user_id: int) -> Response:
    """Log an account out everywhere.

    Revokes every token and session of the account within a second.
    """
    return _take("logout", user_id)


@people_api.post("/<id:user_id>/unlock")
@rule(ADMIN)
@Operation(tag="administration", body=Nothing, answers={200: PersonOut})
def unlock(user_id: int) -> Response:
    """Unlock an account.

    Resets its count of wrong passwords. If it was locked, the owner gets an email.
    """
    return _take("unlock", user_id)


def _take(name: str, user_id: int) -> Response:
    validation.read(Nothing)
    return _answer(STEPS[name].take(request_context.services(), user_id, request_context.me().id, None))


def _answer(person: PersonRow) -> Response:
    return answer(PersonOut.model_validate(person))
