"""What the shipped files do when a web fails or is taken out."""

from collections.abc import Callable

import pytest

from tests.deploy.nginx import checks_of_webs as checks
from tests.deploy.nginx.front import Front


@pytest.mark.parametrize(
    "check",
    [
        checks.a_ballot_is_sent_once,
        checks.a_hanging_web_holds_ballots_for_seconds,
        checks.a_web_that_refuses_costs_nothing,
        checks.a_web_that_is_silent_costs_a_second,
        checks.a_page_is_asked_of_another_web,
        checks.a_web_can_be_taken_out_and_put_back,
    ],
)
def test_webs(front: Front, check: Callable[[Front], None]) -> None:
    check(front)
