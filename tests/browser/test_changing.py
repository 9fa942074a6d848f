"""A vote page that stays open: its vote is changed, and changed again; voting closes, opens again, or is due to."""

import json
import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from playwright.sync_api import Page, WebSocketRoute, expect

from tests.browser.conftest import OpenWindow
from tests.module_wide import database_url, environment, redis_url, stack
from tests.stack import Stack
from vote.actions import competitions
from vote.ballotlog.log import BallotLog
from vote.db.pool import Database
from vote.db.users import Account
from vote.domain.competition import Competition
from vote.domain.person import Person

__all__ = ["database_url", "environment", "redis_url", "stack"]  # one system for the whole file
pytestmark = pytest.mark.browser

MakeCompetition = Callable[..., Competition]
MakeUser = Callable[..., Account]

LIVE = '[data-when="live"]'
CHANGE = "Change your vote"
OVER = "Voting has ended. You can no longer change your vote. If voting reopens"
MAYBE_OVER = "Voting should have ended by now. Reload this page to check."


@pytest.fixture
def voted(
    open_window: OpenWindow, make_user: MakeUser, stack: Stack, token_of: Callable[..., str]
) -> Callable[[Competition], Page]:
    """The vote page of somebody who has voted for River stage."""

    def open_page(competition: Competition) -> Page:
        account = make_user()
        stack.vote(competition.id, "a", token_of(account))
        page = open_window(account.person)
        page.goto(f"/vote/{competition.id}")
        return page

    return open_page


def choose(page: Page, option: str, button: str) -> None:
    page.get_by_role("radio", name=option).check()
    page.get_by_role("button", name=f"{button} {option}").click()


def assert_chosen(page: Page, option: str) -> None:
    """What the slip, the results and the ballot paper to change it with say."""
    expect(page.get_by_text(f"You chose {option}.")).to_be_visible()
    expect(page.locator(".bars li", has_text="your choice")).to_have_count(1)
    expect(page.locator(".bars li", has_text="your choice")).to_contain_text(f"{option} your choice")
    page.get_by_text(CHANGE, exact=True).click()
    expect(page.get_by_role("radio", name=option)).to_be_checked()


def test_a_vote_is_changed_and_changed_again_without_a_reload(
    make_competition: MakeCompetition, voted: Callable[[Competition], Page]
) -> None:
    page = voted(make_competition(allow_change=True))
    expect(page.locator(LIVE)).to_be_visible()
    page.evaluate("window.isTheSamePage = true")
    assert_chosen(page, "River stage")

    choose(page, "Hall stage", "Change to")
    assert_chosen(page, "Hall stage")
    choose(page, "River stage", "Change to")
    assert_chosen(page, "River stage")

    expect(page.locator(".bars [data-votes]")).to_have_text(["1", "0"])
    assert page.evaluate("window.isTheSamePage")


def test_a_change_is_recorded_when_it_is_and_not_when_the_vote_before_it_was(
    make_competition: MakeCompetition, voted: Callable[[Competition], Page], stack: Stack
) -> None:
    competition = make_competition(allow_change=True)
    page = voted(competition)
    expect(page.get_by_role("heading", name="Your vote is recorded")).to_be_visible()
    page.get_by_text(CHANGE, exact=True).click()
    stack.freeze_worker()
    try:
        choose(page, "Hall stage", "Change to")
        for _ in range(3):  # it asks, and asks again, the page it came from and the one it is after a reload
            with page.expect_response(re.compile(rf"/vote/{competition.id}$|/api/receipts/")):
                expect(page.get_by_role("heading", name="Your vote is accepted")).to_be_visible()
        page.reload()
        with page.expect_response(re.compile(rf"/vote/{competition.id}$|/api/receipts/")):
            expect(page.get_by_role("heading", name="Your vote is accepted")).to_be_visible()
    finally:
        stack.thaw_worker()
    expect(page.get_by_role("heading", name="Your vote is recorded")).to_be_visible()
    expect(page.get_by_text("You chose Hall stage.")).to_be_visible()


def test_a_first_vote_can_be_changed_without_a_reload(
    open_window: OpenWindow, make_competition: MakeCompetition, make_user: MakeUser
) -> None:
    page = open_window(make_user().person)
    page.goto(f"/vote/{make_competition(allow_change=True).id}")
    page.evaluate("window.isTheSamePage = true")

    choose(page, "River stage", "Vote for")
    assert_chosen(page, "River stage")
    choose(page, "Hall stage", "Change to")
    assert_chosen(page, "Hall stage")

    assert page.evaluate("window.isTheSamePage")


def test_a_vote_that_cannot_be_changed_says_so(
    open_window: OpenWindow, make_competition: MakeCompetition, make_user: MakeUser
) -> None:
    page = open_window(make_user().person)
    page.goto(f"/vote/{make_competition().id}")

    choose(page, "River stage", "Vote for")

    expect(page.locator(".bars li", has_text="your choice")).to_contain_text("River stage your choice")
    expect(page.get_by_text("change your vote once it is cast.")).to_be_visible()
    expect(page.get_by_text(CHANGE, exact=True)).to_have_count(0)


def test_changing_ends_with_voting_and_comes_back_with_it(
    make_competition: MakeCompetition,
    voted: Callable[[Competition], Page],
    owner: Database,
    log: BallotLog,
    organiser: Person,
) -> None:
    competition = make_competition(allow_change=True, closes_at=datetime.now(UTC) + timedelta(hours=1))
    page = voted(competition)
    expect(page.locator(LIVE)).to_be_visible()
    page.get_by_text(CHANGE, exact=True).click()
    expect(page.get_by_role("button", name="Keep River stage")).to_be_visible()

    competitions.close_voting(owner, log, competition.id, by=organiser)
    expect(page.get_by_text(OVER)).to_be_visible()
    expect(page.get_by_text(CHANGE, exact=True)).to_be_hidden()
    expect(page.get_by_role("button", name="Keep River stage")).to_be_hidden()
    expect(page.locator("main > .state")).to_contain_text("Closed")

    competitions.open_voting(owner, log, competition.id, by=organiser)
    expect(page.get_by_text(OVER)).to_be_hidden()
    choose(page, "Hall stage", "Change to")
    assert_chosen(page, "Hall stage")


def test_a_vote_page_says_when_voting_should_be_over_and_still_takes_a_vote(
    open_window: OpenWindow, make_competition: MakeCompetition, make_user: MakeUser
) -> None:
    competition = make_competition(closes_at=datetime.now(UTC) + timedelta(hours=1))
    page = open_window(make_user().person)
    page.clock.install()
    page.goto(f"/vote/{competition.id}")
    expect(page.locator("main > .state").get_by_text("Due to close")).to_be_hidden()
    expect(page.get_by_text(MAYBE_OVER)).to_be_hidden()

    page.clock.fast_forward("01:00:10")

    expect(page.get_by_text(MAYBE_OVER)).to_be_visible()
    expect(page.locator("main > .state")).to_contain_text("Due to close")
    choose(page, "River stage", "Vote for")  # the clock may be wrong, or the time may have been put off
    expect(page.get_by_role("heading", name="Your vote is accepted")).to_be_visible()


def test_changing_says_when_voting_should_be_over(
    make_competition: MakeCompetition, voted: Callable[[Competition], Page]
) -> None:
    hidden = {"results_visibility": "after_close"}  # so that no news comes
    page = voted(make_competition(allow_change=True, closes_at=datetime.now(UTC) + timedelta(hours=1), **hidden))
    page.clock.install()
    page.reload()
    page.get_by_text(CHANGE, exact=True).click()
    expect(page.get_by_text("You can change it until voting closes")).to_be_visible()

    page.clock.fast_forward("01:00:10")

    expect(page.get_by_text(MAYBE_OVER)).to_be_visible()
    expect(page.get_by_text("You can change it until voting closes")).to_be_hidden()


def test_a_page_that_waits_for_the_opening_says_when_it_should_be_open(
    open_window: OpenWindow, make_competition: MakeCompetition
) -> None:
    competition = make_competition(opens_at=datetime.now(UTC) + timedelta(hours=1))
    page = open_window()
    page.clock.install()
    page.goto(f"/vote/{competition.id}")
    coming = page.get_by_text("Not open yet").or_(page.get_by_text("Come back then"))
    expect(coming.filter(visible=True)).to_have_count(3)
    ready = page.get_by_role("link", name="Voting should be open now")
    expect(ready).to_be_hidden()

    page.clock.fast_forward("01:00:10")

    expect(ready).to_be_visible()
    expect(coming.filter(visible=True)).to_have_count(0)
    expect(page.locator("main > .state")).to_contain_text("Due to open")


def test_news_of_the_close_takes_the_place_of_what_the_clock_said(
    open_window: OpenWindow, make_competition: MakeCompetition
) -> None:
    competition = make_competition(closes_at=datetime.now(UTC) + timedelta(hours=1))
    told = {"competition": competition.id, "total": 3, "options": {"a": 1, "b": 2}}
    sockets: list[WebSocketRoute] = []

    def take(socket: WebSocketRoute) -> None:
        sockets.append(socket)
        socket.send(json.dumps({**told, "version": 9, "state": "open"}))

    page = open_window()
    page.route_web_socket("**/live/*", take)
    page.clock.install()
    page.goto(f"/results/{competition.id}")
    expect(page.locator(LIVE)).to_be_visible()
    page.clock.fast_forward("01:00:10")
    expect(page.get_by_text("Due to close")).to_be_visible()

    sockets[-1].send(json.dumps({**told, "version": 10, "state": "closed"}))

    expect(page.locator("main > .state")).to_have_text("Closed")
    page.clock.fast_forward("00:00:10")
    expect(page.get_by_text("Closed", exact=True)).to_be_visible()
