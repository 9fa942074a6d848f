"""The access rules, and that none can be forgotten."""

import pytest
from flask import Flask

from vote.domain.person import Person, Role
from vote.errors import NotAllowed, NotLoggedIn
from vote.web import access
from vote.web.access import ADMIN, LOGGED_IN, ORGANISER, PUBLIC, UNASKED, AccessRule


def person(role: Role) -> Person:
    return Person(1, "ada", role)


@pytest.mark.parametrize(
    ("rule", "passes"),
    [
        (UNASKED, {None, "voter", "organiser", "admin"}),
        (PUBLIC, {None, "voter", "organiser", "admin"}),
        (LOGGED_IN, {"voter", "organiser", "admin"}),
        (ORGANISER, {"organiser", "admin"}),
        (ADMIN, {"admin"}),
    ],
)
@pytest.mark.parametrize("role", [None, "voter", "organiser", "admin"])
def test_a_rule_lets_in_whom_it_names(rule: AccessRule, passes: set[Role | None], role: Role | None) -> None:
    asking = None if role is None else person(role)

    if role in passes:
        access.check(rule, asking)
    else:
        with pytest.raises(NotLoggedIn if role is None else NotAllowed):
            access.check(rule, asking)


def test_an_app_with_a_route_without_a_rule_does_not_start() -> None:
    app = Flask(__name__)
    app.add_url_rule("/secret", "secret", lambda: "")

    with pytest.raises(RuntimeError, match="secret"):
        access.table_of(app)
