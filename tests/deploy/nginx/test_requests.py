"""What reaches a web through the shipped files."""

from collections.abc import Callable

import pytest

from tests.deploy.nginx import checks_of_requests as checks
from tests.deploy.nginx.front import Front


@pytest.mark.parametrize(
    "check",
    [
        checks.forwarding_headers_are_ours,
        checks.the_request_id_is_ours,
        checks.other_names_are_refused,
        checks.what_is_inside_stays_inside,
        checks.bodies_are_limited,
        checks.only_logins_are_limited,
        checks.votes_are_not_limited,
        checks.a_client_without_tls_1_2_is_refused,
    ],
)
def test_requests(front: Front, check: Callable[[Front], None]) -> None:
    check(front)
