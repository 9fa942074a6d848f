"""Time zones as browsers name them, on the dashboard."""

from collections.abc import Callable

import pytest

from tests.integration.clients import Browser
from vote.config import Settings
from vote.db.users import Account


@pytest.fixture
def dashboard(browser: Browser, make_user: Callable[..., Account], settings: Settings) -> Browser:
    """An admin's browser."""
    browser.be(make_user(role="admin"), settings)
    return browser


@pytest.mark.parametrize(
    "zone", ["Asia/Calcutta", "Europe/Kiev", "America/Buenos_Aires", "Asia/Saigon", "Etc/Unknown", "x" * 99]
)
def test_a_zone_matters_where_a_time_is_given(dashboard: Browser, zone: str) -> None:
    made = dashboard.submit(
        "/admin/competitions/new",
        "/admin/competitions",
        name="Q",
        option=["A", "B"],
        zone=zone,
        opens_at="",
        closes_at="",
    )
    assert made.status_code == 303

    with_time = dashboard.submit(
        "/admin/competitions/new",
        "/admin/competitions",
        name="Q",
        option=["A", "B"],
        zone=zone,
        closes_at="2035-06-01T09:00",
    )
    if zone in ("Etc/Unknown", "x" * 99):
        assert with_time.status_code == 422
        assert "Unknown time zone." in with_time.text
    else:
        assert with_time.status_code == 303
    distance = dashboard.submit(
        "/admin/competitions/new",
        "/admin/competitions",
        name="Q",
        option=["A", "B"],
        zone=zone,
        closes_at="2035-06-01T09:00+05:30",
    )
    assert distance.status_code == 303, "who writes the distance needs no zone"
