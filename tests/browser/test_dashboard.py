"""An organiser runs a night from the dashboard: make, edit, open, close, open again, delete."""

import re
from collections.abc import Callable
from datetime import UTC, datetime

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import OpenWindow
from tests.module_wide import database_url, environment, redis_url, stack
from vote.db import competitions
from vote.db.pool import Database
from vote.domain.competition import Competition
from vote.domain.person import Person

__all__ = ["database_url", "environment", "redis_url", "stack"]  # one system for the whole file
pytestmark = pytest.mark.browser

MakeCompetition = Callable[..., Competition]


def test_a_night_at_the_dashboard(open_window: OpenWindow, organiser: Person) -> None:
    page = open_window(organiser)
    page.goto("/admin")
    page.get_by_role("link", name="New competition").click()
    page.fill("#name", "Best dish of the night")
    page.fill("#option-a", "Dumplings")
    page.get_by_role("button", name="Create competition").click()
    expect(page.locator("#option-b")).to_be_focused()
    expect(page.locator("#option-b-error")).to_contain_text("This field is required.")
    expect(page.locator("#name")).to_have_value("Best dish of the night")

    page.wait_for_load_state()  # the button adds options by itself only once the script is there
    page.fill("#option-b", "Ramen")
    page.get_by_role("button", name="More options").click()
    page.fill("#option-c", "Pho")
    page.get_by_label("Keep it as a draft").check()
    page.get_by_role("button", name="Create competition").click()
    expect(page.get_by_text("The competition is created.")).to_be_visible()

    page.get_by_role("button", name="Remove option b").click()
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_text("Saved.")).to_be_visible()
    expect(page.locator("#option-b")).to_have_value("Pho")
    for step in ("Open now", "Close now"):
        page.get_by_role("link", name=step).click()
        page.get_by_role("button", name=step).click()
    expect(page.get_by_text(re.compile("Voting is (closing\\.|closed,)"))).to_be_visible()
    page.get_by_role("link", name="Reopen").click()
    page.get_by_role("button", name="Reopen").click()
    expect(page.get_by_text("reopened voting")).to_be_visible()
    page.get_by_role("link", name="Delete this competition").click()
    page.get_by_role("button", name="Delete").click()
    expect(page.get_by_text("The vote is deleted.")).to_be_visible()


def test_times_are_meant_in_the_organisers_zone(
    open_window: OpenWindow, make_competition: MakeCompetition, organiser: Person
) -> None:
    competition = make_competition()
    page = open_window(organiser, timezone_id="Asia/Tokyo")
    page.goto(f"/admin/competitions/{competition.id}")
    expect(page.locator("#zone")).to_have_value("Asia/Tokyo")
    page.fill("#closes_at", "2035-06-01T09:00")
    page.get_by_role("button", name="Save").click()

    expect(page.locator("#closes_at")).to_have_value("2035-06-01T09:00")
    without_script = open_window(organiser, javascript=False)
    without_script.goto(f"/admin/competitions/{competition.id}")
    expect(without_script.locator("#zone")).to_have_value("UTC")
    expect(without_script.locator("#closes_at")).to_have_value("2035-06-01T00:00")


@pytest.mark.parametrize(
    ("zone", "closes_at"),
    [("Europe/Berlin", "2027-10-31T01:30:07.000250+00:00"), ("America/New_York", "2027-11-07T06:30:00+00:00")],
)
def test_who_mends_a_word_does_not_move_the_closing_time(
    open_window: OpenWindow,
    make_competition: MakeCompetition,
    organiser: Person,
    owner: Database,
    zone: str,
    closes_at: str,
) -> None:
    at = datetime.fromisoformat(closes_at)
    competition = make_competition(closes_at=at)
    page = open_window(organiser, timezone_id=zone)
    page.goto(f"/admin/competitions/{competition.id}")
    expect(page.locator("#zone")).to_have_value(zone)
    page.fill("#description", "Without the slip of the pen.")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_text("Saved.")).to_be_visible()

    with owner.read() as tx:
        found = competitions.find(tx, competition.id)
    assert found is not None
    assert (found.closes_at, found.description) == (at, "Without the slip of the pen.")


def test_a_time_that_comes_twice_can_be_chosen(
    open_window: OpenWindow, make_competition: MakeCompetition, organiser: Person, owner: Database
) -> None:
    competition = make_competition()
    page = open_window(organiser, timezone_id="Europe/Berlin")
    page.goto(f"/admin/competitions/{competition.id}")
    page.fill("#closes_at", "2027-10-31T02:30")
    page.get_by_role("button", name="Save").click()
    expect(page.locator("#closes_at-error")).to_contain_text("02:30 occurs twice on that day")
    page.get_by_label("The second: UTC+01:00, that is 01:30 UTC").check()
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_text("Saved.")).to_be_visible()

    with owner.read() as tx:
        found = competitions.find(tx, competition.id)
    assert found is not None
    assert found.closes_at == datetime(2027, 10, 31, 1, 30, tzinfo=UTC)


@pytest.mark.parametrize("zone", ["Asia/Calcutta", "Europe/Kiev", "Asia/Kathmandu"])
def test_the_zone_that_the_browser_names_is_known(open_window: OpenWindow, organiser: Person, zone: str) -> None:
    page = open_window(organiser, timezone_id=zone)
    page.goto("/admin/competitions/new")
    page.fill("#name", "In a zone with two names")
    page.fill("#option-a", "One")
    page.fill("#option-b", "Two")
    page.fill("#closes_at", "2035-06-01T09:00")
    page.get_by_role("button", name="Create competition").click()
    expect(page.get_by_text("The competition is created.")).to_be_visible()
    expect(page.locator("#closes_at")).to_have_value("2035-06-01T09:00")


def test_a_form_that_was_overtaken_loses_nothing(
    open_window: OpenWindow, make_competition: MakeCompetition, organiser: Person
) -> None:
    competition = make_competition()
    mine, other = open_window(organiser), open_window(organiser)
    for page in (mine, other):
        page.goto(f"/admin/competitions/{competition.id}")
    other.fill("#name", "Theirs")
    other.get_by_role("button", name="Save").click()
    expect(other.get_by_text("Saved.")).to_be_visible()

    mine.fill("#name", "Mine")
    mine.get_by_role("button", name="Save").click()

    expect(mine.get_by_text("Someone changed this competition while you were editing it.")).to_be_visible()
    expect(mine.locator("#name")).to_have_value("Mine")
    expect(mine.get_by_text("Stored now: Theirs")).to_be_visible()
    mine.get_by_role("button", name="Save").click()
    expect(mine.get_by_role("heading", name="Mine")).to_be_visible()


@pytest.mark.parametrize("width", [1280, 800, 390])
def test_links_stand_beside_each_other_whatever_the_names(
    open_window: OpenWindow, make_competition: MakeCompetition, organiser: Person, width: int
) -> None:
    long = [make_competition(name=name) for name in ("W" * 200, "Which of these questions is it? " * 4)]
    page = open_window(organiser, viewport={"width": width, "height": 800})
    page.goto("/admin")

    for one in long:
        row = page.get_by_role("row", name=one.name)
        boxes = [link.bounding_box() for link in row.get_by_role("link").all()]
        edit, close, results = (box for box in boxes if box)
        assert edit["y"] == close["y"] == results["y"]
        assert edit["height"] == close["height"] == results["height"] < 60, "no words are broken"
        assert edit["x"] + edit["width"] < close["x"]
        assert close["x"] + close["width"] < results["x"]
        assert results["x"] + results["width"] < width
        heading = row.get_by_role("rowheader").bounding_box()
        assert heading is not None
        assert heading["width"] > 120
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    page.goto(f"/admin/competitions/{long[0].id}")
    page.fill("#name", "M" * 200)
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_role("cell", name="changed name")).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth") <= width, "what was done breaks too"


def test_options_can_be_added_without_a_script(open_window: OpenWindow, organiser: Person) -> None:
    page = open_window(organiser, javascript=False)
    page.goto("/admin/competitions/new")
    page.fill("#option-d", "Fourth")
    page.get_by_role("button", name="More options").click()
    expect(page.locator("input[name=option]")).to_have_count(8)
    expect(page.locator("#option-a")).to_have_value("Fourth")
    page.fill("#option-h", "Last")
    page.fill("#name", "Many")
    page.get_by_role("button", name="Create competition").click()
    expect(page.locator("h1")).to_have_text(re.compile("Many"))
