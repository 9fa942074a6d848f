"""What clients are answered by the shipped files."""

from collections.abc import Callable

import pytest

from tests.deploy.nginx import checks_of_answers as checks
from tests.deploy.nginx.front import Front


@pytest.mark.parametrize(
    "check",
    [
        checks.plain_http_leads_to_https,
        checks.every_answer_has_the_headers,
        checks.static_files_are_kept_by_coding,
        checks.no_web_means_the_maintenance_page,
        checks.no_log_line_says_who_or_what,
    ],
)
def test_answers(front: Front, check: Callable[[Front], None]) -> None:
    check(front)
