"""Results that move: live, reconnecting, polling, closing, final."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, Route, WebSocketRoute, expect

from tests.browser.chromium import window
from tests.browser.conftest import OpenWindow
from tests.module_wide import database_url, environment, redis_url, stack
from tests.stack import Stack
from vote.db.users import Account
from vote.domain.competition import Competition
from vote.domain.person import Person

__all__ = ["database_url", "environment", "redis_url", "stack"]  # one system for the whole file
pytestmark = pytest.mark.browser

MakeCompetition = Callable[..., Competition]
MakeUser = Callable[..., Account]

LIVE = '[data-when="live"]'
LOST = '[data-when="lost"]'
AWAY_S = 90
BACK_MS = 10_000  # a deadline for a busy machine; how long it takes is measured by bench.recovery


def snapshot(competition: int, version: int, a: int, b: int, state: str = "open") -> str:
    told: dict[str, Any] = {"competition": competition, "version": version, "state": state, "total": a + b}
    return json.dumps({**told, "options": {"a": a, "b": b}})


def test_an_older_version_is_dropped_and_a_final_one_says_who_won(
    open_window: OpenWindow, make_competition: MakeCompetition
) -> None:
    competition = make_competition()
    sockets: list[WebSocketRoute] = []
    page = open_window()

    def take(socket: WebSocketRoute) -> None:
        sockets.append(socket)

    page.route_web_socket("**/live/*", take)
    page.goto(f"/results/{competition.id}")
    while not sockets:
        page.wait_for_timeout(20)

    sockets[0].send(snapshot(competition.id, 20, 1234, 4))
    expect(page.locator('.bars [data-votes="a"]')).to_have_text("1,234")
    sockets[0].send(snapshot(competition.id, 19, 7, 7))
    sockets[0].send(snapshot(competition.id, 21, 1234, 1234, "closed"))

    expect(page.get_by_text("Tie: River stage and Hall stage, 1,234 of 2,468 votes each (50.0 %)")).to_be_visible()
    expect(page.locator("main > .state")).to_contain_text("Closed")
    expect(page.locator('[data-when="final"]')).to_be_visible()


def test_without_a_socket_the_page_asks_the_api(
    open_window: OpenWindow,
    make_competition: MakeCompetition,
    make_user: MakeUser,
    stack: Stack,
    token_of: Callable[..., str],
) -> None:
    competition = make_competition()
    page = open_window()
    page.route_web_socket("**/live/*", lambda socket: socket.close())
    page.goto(f"/results/{competition.id}")
    expect(page.locator('[data-when="polling"]')).to_be_visible()

    stack.vote(competition.id, "b", token_of(make_user()))

    expect(page.locator('.bars [data-votes="b"]')).to_have_text("1")


def test_closing_is_told_live_and_ends_as_final(
    open_window: OpenWindow, make_competition: MakeCompetition, organiser: Person
) -> None:
    competition = make_competition()
    watching, dashboard = open_window(), open_window(organiser)
    watching.goto(f"/results/{competition.id}")
    expect(watching.locator('[data-when="live"]')).to_be_visible()

    dashboard.goto(f"/admin/competitions/{competition.id}")
    dashboard.get_by_role("link", name="Close now").click()
    expect(dashboard.get_by_text("No more ballots are accepted")).to_be_visible()
    dashboard.get_by_role("button", name="Close now").click()

    expect(watching.locator("main > .state")).to_contain_text("Closed")
    expect(watching.get_by_text("Nobody voted.")).to_be_visible()


def test_hidden_results_are_not_in_the_page(
    open_window: OpenWindow, make_competition: MakeCompetition, make_user: MakeUser
) -> None:
    competition = make_competition(results_visibility="after_close")
    page = open_window(make_user().person)
    page.goto(f"/results/{competition.id}")

    expect(page.get_by_text("The result appears here once voting has ended")).to_be_visible()
    assert page.locator("[data-votes]").count() == 0


class Away:
    """A server that is not there, and is again: what the page's sockets and questions meet."""

    def __init__(self, page: Page, competition: int) -> None:
        self.is_away, self.sockets = True, 0
        told = {"competition": competition, "version": 9, "state": "open", "total": 3, "options": {"a": 1, "b": 2}}
        self._snapshot = json.dumps(told)
        page.route_web_socket("**/live/*", self._open)
        page.route("**/api/competitions/*/results", self._answer)

    def _open(self, socket: WebSocketRoute) -> None:
        self.sockets += 1
        if self.is_away:
            socket.close()
        else:
            socket.send(self._snapshot)

    def _answer(self, route: Route) -> None:
        if self.is_away:
            route.abort()
        else:
            route.fulfill(body=self._snapshot, content_type="application/json")


def test_however_long_the_server_was_away_a_socket_opens_within_three_seconds(
    browser: Browser, stack: Stack, make_competition: MakeCompetition
) -> None:
    competition = make_competition()
    page = window(browser, stack.url).new_page()
    away = Away(page, competition.id)
    page.clock.install()
    page.goto(f"/results/{competition.id}")
    expect(page.locator(LOST)).to_be_visible()
    page.clock.pause_at(page.evaluate("Date.now()") + 1000)  # from here on the page's time is the test's

    def pass_by(ms: int) -> None:
        page.clock.run_for(ms)
        page.wait_for_timeout(5)  # of real time: for answers, which no clock holds back

    for _ in range(AWAY_S // 3):
        pass_by(3000)
    tried = away.sockets
    assert tried < 16, "a server that is away for long is not asked all the time"
    while away.sockets == tried:  # just after a try, so that the next one by itself would be far away
        pass_by(1000)
    away.is_away = False
    pass_by(3000)

    expect(page.locator(LIVE)).to_be_visible()
    page.context.close()


def test_results_move_again_after_the_web_was_killed_and_started(
    browser: Browser,
    stack: Stack,
    make_competition: MakeCompetition,
    make_user: MakeUser,
    token_of: Callable[[Account], str],
) -> None:
    competition = make_competition()
    page = window(browser, stack.url).new_page()
    page.goto(f"/results/{competition.id}")
    expect(page.locator(LIVE)).to_be_visible()

    stack.kill_web()  # it is started again before the next test
    expect(page.locator(LOST)).to_be_visible()
    stack.start_web()

    expect(page.locator(LIVE)).to_be_visible(timeout=BACK_MS)
    stack.vote(competition.id, "a", token_of(make_user()))
    expect(page.locator('.bars [data-votes="a"]')).to_have_text("1")
    page.context.close()
