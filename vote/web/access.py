"""Access rules: every route declares its own, and the app does not start if one has none.

    @pages.get("/")
    @access.rule(PUBLIC)
    def competitions() -> str: ...

`domain/policy.py` decides who may act on a particular competition.
"""

from collections.abc import Callable
from enum import Enum
from typing import Any, TypeVar

from flask import Flask, current_app

from vote.domain import policy
from vote.domain.person import Person
from vote.errors import NotAllowed, NotLoggedIn

View = TypeVar("View", bound=Callable[..., Any])


class AccessRule(Enum):
    """The requirement for calling a route."""

    UNASKED = "anyone; token and session are not checked, so an invalid one does not matter"
    PUBLIC = "anyone; an invalid token is refused"
    LOGGED_IN = "anyone with an account"
    ORGANISER = "an organiser or an admin"
    ADMIN = "an admin"


UNASKED, PUBLIC, LOGGED_IN, ORGANISER, ADMIN = AccessRule

_ATTRIBUTE = "access_rule"


def rule(wanted: AccessRule) -> Callable[[View], View]:
    """Declare the rule of a view. Put it below the route's decorator."""

    def declare(view: View) -> View:
        setattr(view, _ATTRIBUTE, wanted)
        return view

    return declare


def table_of(app: Flask) -> dict[str, AccessRule]:
    """Return endpoint → rule for all routes of the app. Raises RuntimeError naming routes without a rule."""
    table = {endpoint: getattr(view, _ATTRIBUTE, None) for endpoint, view in app.view_functions.items()}
    forgotten = sorted(endpoint for endpoint, wanted in table.items() if wanted is None)
    if forgotten:
        raise RuntimeError(f"These routes have no access rule: {', '.join(forgotten)}. See vote/web/access.py.")
    return {endpoint: wanted for endpoint, wanted in table.items() if wanted is not None}


def is_for_anyone(endpoint: str | None) -> bool:
    """Return whether the rule of an endpoint of the present app lets everyone call it."""
    view = current_app.view_functions.get(endpoint or "")
    return getattr(view, _ATTRIBUTE, UNASKED) in (UNASKED, PUBLIC)


def check(wanted: AccessRule, person: Person | None) -> None:
    """Raise NotLoggedIn or NotAllowed unless this person may call the route."""
    if wanted in (UNASKED, PUBLIC):
        return
    if person is None:
        raise NotLoggedIn
    if wanted is ORGANISER and not policy.can_organise(person):
        raise NotAllowed("Only organisers and admins can do this.")
    if wanted is ADMIN and person.role != "admin":
        raise NotAllowed("Only admins can do this.")
