"""A page that is left open ends right by itself, whoever looks at it, over the socket and without one."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from playwright.sync_api import Browser, Locator, Page, Route, expect

from tests.browser.chromium import log_in, window
from tests.browser.conftest import OpenWindow
from tests.module_wide import database_url, environment, redis_url, stack
from tests.stack import Stack, wait_until
from vote.actions import competitions as change
from vote.ballotlog.log import BallotLog
from vote.config import Settings
from vote.db.pool import Database
from vote.db.users import Account
from vote.domain.competition import Competition
from vote.domain.person import Person

__all__ = ["database_url", "environment", "redis_url", "stack"]  # one system for the whole file
pytestmark = [pytest.mark.slow, pytest.mark.browser]

MakeCompetition = Callable[..., Competition]
MakeUser = Callable[..., Account]

WITHIN_MS = 45_000  # a deadline for a busy machine
NO_SOCKETS = "window.WebSocket = class extends EventTarget { constructor() { super(); setTimeout(() => this.end()); } \
end() { this.dispatchEvent(new CloseEvent('close', { code: 1006 })); } close() {} }"
# What is asked for once a minute, on a final page, is asked for soon: no test waits for a minute.
SELDOM_IS_SOON = "const later = window.setTimeout; \
window.setTimeout = (call, ms, ...more) => later(call, ms > 40_000 ? 300 : ms, ...more)"
PEOPLE = ("stranger", "voter", "voted", "organiser")
WAYS = ("socket", "polling")


@dataclass(frozen=True)
class Left:
    """A page somebody has left open."""

    page: Page
    who: str

    def shows(self, text: str) -> None:
        expect(self.page.locator("main")).to_contain_text(text, timeout=WITHIN_MS)

    def has(self, selector: str) -> Locator:
        found = self.page.locator(selector)
        expect(found).to_be_visible(timeout=WITHIN_MS)
        return found

    def lacks(self, selector: str) -> None:
        expect(self.page.locator(f"{selector} >> visible=true")).to_have_count(0, timeout=WITHIN_MS)


@pytest.fixture
def leave_open(
    open_window: OpenWindow, make_user: MakeUser, organiser: Person, stack: Stack, token_of: Callable[[Account], str]
) -> Callable[..., Left]:
    """Opens a page as somebody, with a socket or without."""

    def leave(kind: str, competition: int, who: str, way: str, *, seldom_is_soon: bool = False) -> Left:
        person = None
        if who in ("voter", "voted"):
            account = make_user()
            person = account.person
            if who == "voted":
                assert stack.vote(competition, "a", token_of(account)).status in (200, 202)
        page = open_window(organiser if who == "organiser" else person)
        if seldom_is_soon:
            page.add_init_script(SELDOM_IS_SOON)
        if way == "polling":
            page.add_init_script(NO_SOCKETS)
        page.goto(f"/{kind}/{competition}")
        return Left(page, who)

    return leave


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("kind", ["vote", "results"])
def test_over_opening_and_closing_a_page_tells_the_truth(
    kind: str, way: str, leave_open: Callable[..., Left], make_competition: MakeCompetition, owner: Database,
    log: BallotLog, organiser: Person, stack: Stack, make_user: MakeUser, token_of: Callable[[Account], str],
) -> None:  # fmt: skip
    one = make_competition(
        opens_at=datetime.now(UTC) + timedelta(hours=1), results_visibility="after_close", description="Choose."
    )
    early = [leave_open(kind, one.id, who, way) for who in ("stranger", "voter", "organiser")]
    for left in early:
        left.shows("Not open yet")

    change.open_voting(owner, log, one.id, by=organiser)

    everybody = [*early, leave_open(kind, one.id, "voted", way)]
    for left in everybody:
        left.has('main > [data-state="open"]')
        if kind == "vote" and left.who != "voted":
            left.has("[data-cast]")
        if kind == "results" and left.who != "voted":
            left.has("text=Vote now")
        assert left.page.locator("[data-votes]").count() == 0 or left.who == "organiser", "hidden until the close"

    change.close_voting(owner, log, one.id, by=organiser)

    for left in everybody:
        left.has('main > [data-state="closed"]')
        left.shows("Winner: River stage")
        left.shows("Every accepted ballot is counted.")
        left.lacks("[data-cast]")
        left.lacks("text=Vote now")
        left.lacks('[data-when="polling"]')
        assert left.page.evaluate("performance.getEntriesByType('navigation')[0].type") == "navigate"


@pytest.mark.parametrize("way", WAYS)
def test_figures_that_are_shown_already_end_as_final(
    way: str, leave_open: Callable[..., Left], make_competition: MakeCompetition, owner: Database, log: BallotLog,
    organiser: Person,
) -> None:  # fmt: skip
    one = make_competition()
    left = [leave_open("results", one.id, who, way) for who in PEOPLE]
    for page in left:
        page.has('[data-when="live"]' if way == "socket" else '[data-when="polling"]')

    change.close_voting(owner, log, one.id, by=organiser)

    for page in left:
        page.shows("Winner: River stage")
        page.has('[data-when="final"]')
        page.lacks('[data-when="polling"]')
        page.lacks("text=Results so far")
        page.lacks("text=Vote now")
        page.lacks("text=You see this because")


@pytest.mark.parametrize("way", WAYS)
def test_what_becomes_hidden_or_is_gone_leaves_the_screen(
    way: str, leave_open: Callable[..., Left], make_competition: MakeCompetition, owner: Database, log: BallotLog,
    organiser: Person,
) -> None:  # fmt: skip
    hidden, gone = make_competition(), make_competition()
    left, right = leave_open("results", hidden.id, "stranger", way), leave_open("results", gone.id, "stranger", way)
    for page in (left, right):
        page.has('[data-when="live"]' if way == "socket" else '[data-when="polling"]')

    change.change(owner, log, hidden.id, by=organiser, if_match=None, results_visibility="after_close")
    change.delete(owner, log, gone.id, by=organiser, if_match=None)

    left.shows("The result appears here once voting has ended")
    left.lacks("[data-votes]")
    right.shows("There is no such competition.")
    right.lacks("[data-votes]")


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("kind", ["vote", "results"])
def test_a_correction_and_a_reopening_are_seen(
    kind: str, way: str, leave_open: Callable[..., Left], make_competition: MakeCompetition, owner: Database,
    log: BallotLog, organiser: Person,
) -> None:  # fmt: skip
    one = make_competition(options=["Piza", "Soup"])
    left = leave_open(kind, one.id, "voter", way, seldom_is_soon=True)
    if kind == "vote":
        left.page.get_by_label("Soup").check()

    change.change(owner, log, one.id, by=organiser, if_match=None, correction=True, options=["Pizza", "Soup"])

    left.has("text=Piza → Pizza")
    if kind == "vote":
        expect(left.page.get_by_label("Soup")).to_be_checked()
        expect(left.page.locator("[data-vote-button]")).to_have_text("Vote for Soup")
    change.close_voting(owner, log, one.id, by=organiser)
    left.has('main > [data-state="closed"]')
    change.open_voting(owner, log, one.id, by=organiser)
    left.shows("Voting was reopened")
    left.has('main > [data-state="open"]')


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("kind", ["vote", "results"])
def test_a_page_that_was_final_when_it_came_sees_a_reopening(
    kind: str, way: str, leave_open: Callable[..., Left], make_competition: MakeCompetition, owner: Database,
    log: BallotLog, organiser: Person, stack: Stack,
) -> None:  # fmt: skip
    one = make_competition()
    change.close_voting(owner, log, one.id, by=organiser)
    wait_until(lambda: stack.get(f"/api/competitions/{one.id}").json["state"] == "closed")
    left = leave_open(kind, one.id, "voter", way, seldom_is_soon=True)
    left.has('main > [data-state="closed"]')

    change.open_voting(owner, log, one.id, by=organiser)

    left.shows("Voting was reopened")
    left.has('main > [data-state="open"]')


def test_a_lost_network_hides_nothing_for_long(
    leave_open: Callable[..., Left],
    make_competition: MakeCompetition,
    owner: Database,
    log: BallotLog,
    organiser: Person,
) -> None:
    one = make_competition(results_visibility="after_close")
    left = leave_open("vote", one.id, "voter", "socket")
    left.has("[data-cast]")

    left.page.context.set_offline(True)
    change.close_voting(owner, log, one.id, by=organiser)
    left.page.wait_for_timeout(500)
    left.has("[data-cast]")
    left.page.context.set_offline(False)

    left.shows("Voting has ended. We have no vote from you.")
    left.shows("Nobody voted.")


def test_a_ballot_on_its_way_is_not_torn_out_of_the_page(
    leave_open: Callable[..., Left],
    make_competition: MakeCompetition,
    owner: Database,
    log: BallotLog,
    organiser: Person,
) -> None:
    one = make_competition()
    left = leave_open("vote", one.id, "voter", "socket")
    had_anew: list[str] = []
    left.page.clock.install()
    left.page.reload()
    left.page.on(
        "request", lambda one: had_anew.append(one.url) if one.method == "GET" and "/vote/" in one.url else None
    )
    left.page.route("**/vote/*", lambda route: route.abort() if route.request.method == "POST" else route.continue_())
    left.page.get_by_label("River stage").check()
    left.page.get_by_role("button", name="Vote for River stage").click()
    left.shows("Your vote is not confirmed yet")

    change.close_voting(owner, log, one.id, by=organiser)

    left.has('main > [data-state="closed"]')
    for _ in range(10):  # of the page's own time: longer than it ever waits before it has itself anew
        left.page.clock.run_for(500)
        left.page.wait_for_timeout(5)
    assert had_anew == []
    left.shows("Your vote is not confirmed yet")
    left.page.unroute("**/vote/*")
    left.shows("We have no vote from you.")


def test_retry_after_is_kept(
    browser: Browser, stack: Stack, make_competition: MakeCompetition, settings: Settings, make_user: MakeUser
) -> None:
    one = make_competition()
    context = window(browser, stack.url)
    log_in(context, stack.url, settings, make_user().id)
    page = context.new_page()
    page.add_init_script(NO_SOCKETS)
    asked: list[str] = []

    def refuse(route: Route) -> None:
        asked.append(route.request.url)
        told: dict[str, Any] = {"status": 429, "headers": {"Retry-After": "30"}, "body": "{}"}
        route.fulfill(**told)

    page.route("**/api/competitions/**", refuse)
    page.clock.install()
    with page.expect_response("**/api/competitions/**", timeout=WITHIN_MS):  # the page's own clock would end a slow one
        page.goto(f"/results/{one.id}")
    expect(page.locator('[data-when="lost"]')).to_be_visible(timeout=WITHIN_MS)
    page.clock.pause_at(page.evaluate("Date.now()") / 1000 + 1)  # from here on the page's time is the test's
    for _ in range(7):
        page.clock.run_for(2_000)
        page.wait_for_timeout(5)
    assert len(asked) == 1, "not before the 30 seconds are over"
    for _ in range(10):
        page.clock.run_for(2_000)
        page.wait_for_timeout(5)
    assert len(asked) == 2
    context.close()
