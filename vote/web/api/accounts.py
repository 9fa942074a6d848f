"""People, for admins, by API: look them up, give a role, disable, enable, log out everywhere."""

from flask import Blueprint, Response, request

from vote.actions import account_administration as actions
from vote.db import account_search
from vote.db.account_search import PersonRow
from vote.errors import NotFound
from vote.web import request_context, validation
from vote.web.access import ADMIN, rule
from vote.web.admin.account_steps import STEPS
from vote.web.api.account_admin_models import Asked, People, PersonOut, RoleChange
from vote.web.api.account_models import Nothing
from vote.web.api.operations import Operation, answer, describe

people_api = Blueprint("people_api", __name__, url_prefix="/api/admin/people")

PAGE_SIZE = 100  # people in one answer


@people_api.get("")
@rule(ADMIN)
@describe(
    Operation(
        summary="People by name",
        tag="administration",
        answers={200: People},
        query={
            "search": "How the name begins, or a whole e-mail address.",
            "after": "The name to go on after: what the page before said as `next`.",
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
@describe(Operation(summary="One person", tag="administration", answers={200: PersonOut}))
def show(user_id: int) -> Response:
    """The account."""
    with request_context.services().db.read() as tx:
        person = account_search.find(tx, user_id)
    if person is None:
        raise NotFound("There is nobody with this number.")
    return _tell(person)


@people_api.post("/<id:user_id>/role")
@rule(ADMIN)
@describe(
    Operation(
        summary="Give somebody a role",
        tag="administration",
        body=RoleChange,
        answers={200: PersonOut},
        problems=(409,),
        description="It counts from their next request on. 409: the last admin stays one, and nobody demotes themselves.",
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
        description="Every token and session of it is dead within a second, and nobody can log in with it. Votes stay.",
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
        description="Its old tokens and sessions stay dead.",
    )
)
def enable(user_id: int) -> Response:
    """Somebody can log in with it again."""
    return _take("enable", user_id)


@people_api.post("/<id:user_id>/logout")
@rule(ADMIN)
@describe(
    Operation(
        summary="Log somebody out everywhere",
        tag="administration",
        body=Nothing,
        body_optional=True,
        answers={200: PersonOut},
        description="Every token and session of the account is dead within a second.",
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
        description="Forgets its wrong passwords, from everywhere. If it was locked, the owner gets a mail.",
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
