"""Accounts for admins, by API: look up, change the role, disable, enable, unlock, log out everywhere."""

from flask import Blueprint, Response, request

from vote.actions import account_administration as actions
from vote.db import account_search
from vote.db.account_search import PersonRow
from vote.errors import NO_SUCH_ACCOUNT, NotFound
from vote.web import request_context, validation
from vote.web.access import ADMIN, rule
from vote.web.admin.account_steps import STEPS
from vote.web.api import paging
from vote.web.api.account_admin_models import Asked, People, PersonOut, RoleChange
from vote.web.api.account_models import Nothing
from vote.web.api.operations import Operation, answer, describe

people_api = Blueprint("people_api", __name__, url_prefix="/api/admin/people")

PAGE_SIZE = 100  # people in one answer


@people_api.get("")
@rule(ADMIN)
@describe(
    Operation(
        summary="List accounts by username",
        tag="administration",
        answers={200: People},
        query={
            "search": "The beginning of a username, or a complete email address.",
            "after": paging.AFTER,
        },
    )
)
def listed() -> Response:
    """One page of them."""
    asked = Asked.from_query(request.args)
    with request_context.services().db.read() as tx:
        found = account_search.listed(tx, search=asked.search, after=asked.after, limit=PAGE_SIZE + 1)
    return answer(People.page(found, PAGE_SIZE))


@people_api.get("/<id:user_id>")
@rule(ADMIN)
@describe(Operation(summary="Show an account", tag="administration", answers={200: PersonOut}))
def show(user_id: int) -> Response:
    """The account."""
    with request_context.services().db.read() as tx:
        person = account_search.find(tx, user_id)
    if person is None:
        raise NotFound(NO_SUCH_ACCOUNT)
    return _tell(person)


@people_api.post("/<id:user_id>/role")
@rule(ADMIN)
@describe(
    Operation(
        summary="Change an account's role",
        tag="administration",
        body=RoleChange,
        answers={200: PersonOut},
        problems=(409,),
        description="Takes effect on their next request. 409: this is the last admin, or your own admin role.",
    )
)
def set_role(user_id: int) -> Response:
    """They have it."""
    role = validation.read(RoleChange).role
    return _tell(actions.set_role(request_context.services().db, user_id, role=role, by=request_context.me().id))


@people_api.post("/<id:user_id>/disable")
@rule(ADMIN)
@describe(
    Operation(
        summary="Disable an account",
        tag="administration",
        body=Nothing,
        body_optional=True,
        answers={200: PersonOut},
        problems=(409,),
        description="Revokes its tokens and sessions within a second. Nobody can log in to it. Its votes still count.",
    )
)
def disable(user_id: int) -> Response:
    """It is disabled."""
    return _take("disable", user_id)


@people_api.post("/<id:user_id>/enable")
@rule(ADMIN)
@describe(
    Operation(
        summary="Enable an account again",
        tag="administration",
        body=Nothing,
        body_optional=True,
        answers={200: PersonOut},
        description="Its old tokens and sessions stay revoked.",
    )
)
def enable(user_id: int) -> Response:
    """Somebody can log in with it again."""
    return _take("enable", user_id)


@people_api.post("/<id:user_id>/logout")
@rule(ADMIN)
@describe(
    Operation(
        summary="Log an account out everywhere",
        tag="administration",
        body=Nothing,
        body_optional=True,
        answers={200: PersonOut},
        description="Revokes every token and session of the account within a second.",
    )
)
def log_out(user_id: int) -> Response:
    """They are out."""
    return _take("logout", user_id)


@people_api.post("/<id:user_id>/unlock")
@rule(ADMIN)
@describe(
    Operation(
        summary="Unlock an account",
        tag="administration",
        body=Nothing,
        body_optional=True,
        answers={200: PersonOut},
        description="Resets its count of wrong passwords. If it was locked, the owner gets an email.",
    )
)
def unlock(user_id: int) -> Response:
    """It can be tried again from everywhere."""
    return _take("unlock", user_id)


def _take(name: str, user_id: int) -> Response:
    validation.read(Nothing)
    return _tell(STEPS[name].take(request_context.services(), user_id, request_context.me().id, None))


def _tell(person: PersonRow) -> Response:
    return answer(PersonOut.model_validate(person))
