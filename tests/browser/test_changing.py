"""A vote page that stays open: its vote is changed, and changed again."""

from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import OpenWindow
from tests.module_wide import database_url, environment, redis_url, stack
from tests.stack import Stack
from vote.db.users import Account
from vote.domain.competition import Competition

__all__ = ["database_url", "environment", "redis_url", "stack"]  # one system for the whole file
pytestmark = pytest.mark.browser

MakeCompetition = Callable[..., Competition]
MakeUser = Callable[..., Account]

LIVE = '[data-when="live"]'
CHANGE = "Change your vote"


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
    page.get_by_text(CHANGE).click()
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
    expect(page.get_by_text("In this competition a vote cannot be changed.")).to_be_visible()
    expect(page.get_by_text(CHANGE)).to_have_count(0)
