"""The shipped files before clients that take their time: all kinds at once, each before a site of its own."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from tests.deploy.nginx import checks_of_slow_clients as checks
from tests.deploy.nginx.authority import WebAuthority
from tests.deploy.nginx.front import Front, front_of
from tests.deploy.nginx.site import Fault

Check = Callable[[Front], None]

CHECKS: tuple[Check, ...] = (
    checks.slow_heads_are_cut_off,
    checks.silent_connections_are_cut_off,
    checks.bodies_that_stop_are_cut_off,
    checks.readers_that_stop_are_cut_off,
)
FAULTS = (
    (Fault("nginx.conf", "client_header_timeout 15s", "client_header_timeout 60s"), checks.slow_heads_are_cut_off),
    (
        Fault("nginx.conf", "client_header_timeout 15s", "client_header_timeout 60s"),
        checks.silent_connections_are_cut_off,
    ),
    (Fault("nginx.conf", "client_body_timeout 15s", "client_body_timeout 60s"), checks.bodies_that_stop_are_cut_off),
    (Fault("nginx.conf", "client_body_timeout 15s", "client_body_timeout 5s"), checks.bodies_that_stop_are_cut_off),
    (Fault("nginx.conf", "send_timeout 15s", "send_timeout 60s"), checks.readers_that_stop_are_cut_off),
)


def test_slow_clients_are_cut_off(authority: WebAuthority) -> None:
    with ThreadPoolExecutor(len(CHECKS)) as pool:
        found = list(pool.map(lambda check: _fault_found(authority, check), CHECKS))
    assert found == [None] * len(CHECKS)


def test_a_planted_fault_is_found(authority: WebAuthority) -> None:
    with ThreadPoolExecutor(len(FAULTS)) as pool:
        found = list(pool.map(lambda one: _fault_found(authority, one[1], one[0]), FAULTS))
    assert all(isinstance(one, AssertionError) for one in found), found


def _fault_found(authority: WebAuthority, check: Check, *faults: Fault) -> AssertionError | None:
    """What the check finds, once everything runs."""
    with front_of(authority, *faults) as front:
        try:
            check(front)
        except AssertionError as error:
            return error
    return None
