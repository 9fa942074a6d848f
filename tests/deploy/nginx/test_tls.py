"""TLS of the shipped files."""

from collections.abc import Callable

import pytest

from tests.deploy.nginx import checks_of_tls as checks
from tests.deploy.nginx.front import Front


@pytest.mark.parametrize(
    "check", [checks.http_2_is_offered, checks.sslyze_finds_it_compliant, checks.testssl_finds_nothing_new]
)
def test_tls(front: Front, check: Callable[[Front], None]) -> None:
    check(front)
