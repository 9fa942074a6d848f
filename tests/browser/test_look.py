"""How it looks where a look once misled: what stands beside what, in figures, on the ballot paper and in answers."""

import json
from collections.abc import Callable

import pytest
from playwright.sync_api import Page, WebSocketRoute, expect

from tests.browser.chromium import PHONE, WIDE
from tests.browser.conftest import OpenWindow
from tests.module_wide import database_url, environment, redis_url, stack
from tests.stack import Stack
from vote.db.users import Account
from vote.domain.competition import Competition

__all__ = ["database_url", "environment", "redis_url", "stack"]  # one system for the whole file
pytestmark = pytest.mark.browser

MakeCompetition = Callable[..., Competition]
MakeUser = Callable[..., Account]

COUNTS = ".bars .count"
# For each option where its votes end and where the ink of its share begins.
EDGES = """rows => rows.map(row => {
  const share = document.createRange();
  share.selectNodeContents(row.querySelector("span"));
  return [row.querySelector("strong").getBoundingClientRect().right, share.getBoundingClientRect().left];
})"""
# Where the words of a sentence stand, whatever elements they are in.
BOTTOMS = """sentence => {
  const texts = document.createTreeWalker(sentence, NodeFilter.SHOW_TEXT), bottoms = [];
  while (texts.nextNode()) {
    if (!texts.currentNode.data.trim() || texts.currentNode.parentElement.localName === "code") continue;
    const words = document.createRange();
    words.selectNodeContents(texts.currentNode);
    bottoms.push(words.getClientRects()[0].bottom);
  }
  return bottoms;
}"""


def assert_columns(page: Page) -> None:
    edges = page.locator(COUNTS).evaluate_all(EDGES)
    votes_end = [one[0] for one in edges]
    assert len(edges) == 2
    assert max(votes_end) - min(votes_end) < 1, "the votes do not stand in one column"
    assert all(share - votes >= 4 for votes, share in edges), "votes and share stick together"


@pytest.mark.parametrize("viewport", [WIDE, PHONE])
def test_votes_and_share_stand_apart_in_their_columns(
    open_window: OpenWindow, make_competition: MakeCompetition, viewport: dict[str, int]
) -> None:
    competition = make_competition()
    page = open_window(viewport=viewport)
    told = {"competition": competition.id, "version": 9, "state": "open"}

    def answer(socket: WebSocketRoute) -> None:
        socket.send(json.dumps({**told, "total": 10_000_000, "options": {"a": 10_000_000, "b": 0}}))

    page.route_web_socket("**/live/*", answer)
    page.goto(f"/results/{competition.id}")

    expect(page.locator(COUNTS)).to_have_text(["10,000,000 100.0 %", "0 0.0 %"])
    assert_columns(page)


def test_votes_and_share_stand_apart_without_a_script(
    open_window: OpenWindow,
    make_competition: MakeCompetition,
    make_user: MakeUser,
    stack: Stack,
    token_of: Callable[..., str],
) -> None:
    competition, watching = make_competition(), open_window()
    stack.vote(competition.id, "a", token_of(make_user()))
    watching.goto(f"/results/{competition.id}")
    expect(watching.locator(COUNTS)).to_have_text(["1 100.0 %", "0 0.0 %"])

    page = open_window(javascript=False)
    page.goto(f"/results/{competition.id}")

    expect(page.locator(COUNTS)).to_have_text(["1 100.0 %", "0 0.0 %"])
    assert_columns(page)


def test_the_ballot_paper_looks_like_choosing_one(
    open_window: OpenWindow, make_competition: MakeCompetition, make_user: MakeUser
) -> None:
    page = open_window(make_user().person)
    page.goto(f"/vote/{make_competition().id}")

    for option in page.get_by_role("radio").all():
        expect(option).to_have_css("border-radius", "50%")


def test_what_is_missing_stands_clear_of_the_ballot_paper(
    open_window: OpenWindow, make_competition: MakeCompetition, make_user: MakeUser
) -> None:
    page = open_window(make_user().person)
    page.goto(f"/vote/{make_competition().id}")
    page.get_by_role("button", name="Choose an option to vote").click()

    expect(page.locator("[data-choose]")).to_have_css("margin-top", "16px")


def test_the_answer_about_a_receipt_stands_on_one_line(open_window: OpenWindow) -> None:
    page = open_window()
    page.route("**/api/receipts/*", lambda route: route.fulfill(json={"status": "recorded"}))
    page.goto("/receipts")
    page.fill("#code", "ABCD EFGH IJKL MNOP")
    page.get_by_role("button", name="Check receipt").click()

    answer = page.locator('[data-told="recorded"]')
    expect(answer).to_contain_text("Recorded. The vote with receipt ABCD-EFGH-IJKL-MNOP")
    first, second, *_ = answer.evaluate(BOTTOMS)
    assert abs(first - second) < 1


@pytest.mark.parametrize("javascript", [True, False])
@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ("abc", "ABC is not a complete receipt: a receipt has 16 letters and digits."),
        ("abcd-efgh-ijkl-mno1", "No stored vote has receipt ABCD-EFGH-IJKL-MNO1."),
    ],
)
def test_what_is_no_receipt_is_told_from_one_that_is_not_there(
    open_window: OpenWindow, javascript: bool, typed: str, said: str
) -> None:
    page = open_window(javascript=javascript)
    page.goto("/receipts")
    page.fill("#code", typed)
    page.get_by_role("button", name="Check receipt").click()

    expect(page.locator("[data-told]:not([hidden])")).to_contain_text(said)
