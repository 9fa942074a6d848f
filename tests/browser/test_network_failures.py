"""The database or the ballot log goes away while somebody votes: the page says what is true, and goes on by itself."""

from collections.abc import Callable

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import OpenWindow
from tests.servers import Pair
from vote.db.users import Account
from vote.domain.competition import Competition

pytestmark = pytest.mark.browser

MakeUser = Callable[..., Account]
LONG_MS = 40_000  # until servers are up again and the worker has found them


@pytest.fixture
def competition(make_competition: Callable[..., Competition]) -> Competition:
    """One that is open. Asked for before the window, it is there before the stack starts, and all its processes know it."""
    return make_competition()


def test_a_vote_is_accepted_while_the_database_is_away(
    competition: Competition, open_window: OpenWindow, make_user: MakeUser, servers: Pair
) -> None:
    page = open_window(make_user().person)
    page.goto(f"/vote/{competition.id}?choice=a")
    expect(page.get_by_role("button", name="Vote for River stage")).to_be_visible()
    servers.kill_database()

    page.get_by_role("button", name="Vote for River stage").click()

    expect(page.get_by_role("heading", name="Your vote is accepted")).to_be_visible(timeout=LONG_MS)
    expect(page.locator("[data-receipt]")).not_to_be_empty()
    servers.restart_database()
    expect(page.get_by_role("heading", name="Your vote is recorded")).to_be_visible(timeout=LONG_MS)


def test_a_vote_is_sent_again_until_the_ballot_log_is_back(
    competition: Competition, open_window: OpenWindow, make_user: MakeUser, servers: Pair
) -> None:
    page = open_window(make_user().person)
    page.goto(f"/vote/{competition.id}?choice=b")
    servers.kill_log()

    page.get_by_role("button", name="Vote for Hall stage").click()

    expect(page.get_by_text("Your vote is not confirmed yet")).to_be_visible(timeout=LONG_MS)
    servers.restart_log()
    expect(page.get_by_role("heading", name="Your vote is recorded")).to_be_visible(timeout=LONG_MS)
