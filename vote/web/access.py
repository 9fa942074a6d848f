"""Who may ask for what: every route says it itself, and the app does not start when one says nothing.

    @pages.get("/")
    @access.rule(PUBLIC)
    def competitions() -> str: ...

Whether somebody may act on one certain competition is not said here, but in `domain/policy.py`.
"""

from collections.abc import Callable
from enum import Enum
from typing import Any, TypeVar

from flask import Flask

from vote.domain import policy
from vote.domain.person import Person
from vote.errors import NotAllowed, NotLoggedIn

View = TypeVar("View", bound=Callable[..., Any])


class AccessRule(Enum):
    """What somebody must be to get past the door of a route."""

    UNASKED = "anybody; a token or session is not even looked at, so that a dead one is no obstacle"
    PUBLIC = "anybody; a token that is not valid is refused all the same"
    LOGGED_IN = "somebody with an account"
    ORGANISER = "an organiser or an admin"
    ADMIN = "an admin"


UNASKED, PUBLIC, LOGGED_IN, ORGANISER, ADMIN = AccessRule

_ATTRIBUTE = "access_rule"


def rule(wanted: AccessRule) -> Callable[[View], View]:
    """Declare the rule of a view. It stands under the route's decorator."""

    def declare(view: View) -> View:
        setattr(view, _ATTRIBUTE, wanted)
        return view

    return declare


def table_of(app: Flask) -> dict[str, AccessRule]:
    """Endpoint → rule, for all routes of the app. Raises RuntimeError naming the routes that have none."""
    table = {endpoint: getattr(view, _ATTRIBUTE, None) for endpoint, view in app.view_functions.items()}
    forgotten = sorted(endpoint for endpoint, wanted in table.items() if wanted is None)
    if forgotten:
        raise RuntimeError(f"These routes have no access rule: {', '.join(forgotten)}. See vote/web/access.py.")
    return {endpoint: wanted for endpoint, wanted in table.items() if wanted is not None}


def check(wanted: AccessRule, person: Person | None) -> None:
    """Raises NotLoggedIn or NotAllowed unless this person may pass."""
    if wanted in (UNASKED, PUBLIC):
        return
    if person is None:
        raise NotLoggedIn
    if wanted is ORGANISER and not policy.can_organise(person):
        raise NotAllowed("Only organisers and admins can do this.")
    if wanted is ADMIN and person.role != "admin":
        raise NotAllowed("Only admins can do this.")
