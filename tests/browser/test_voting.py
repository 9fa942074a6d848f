"""A person registers, votes, and watches it counted, in a real browser against the running system."""

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import Page, Route, expect

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
RECEIPT = re.compile(r"^([A-Z2-7]{4}-){3}[A-Z2-7]{4}$")
PASSWORD = "river-otter-lantern-9"


def register(page: Page, name: str) -> None:
    page.fill("#username", name)
    page.fill("#email", f"{name}@example.com")
    page.fill("#password", PASSWORD)
    page.fill("#confirm_password", PASSWORD)
    page.get_by_role("button", name="Register").click()
    expect(page).not_to_have_url(re.compile(r"/register"))  # its answer came: going on now cuts nothing off


def test_a_person_registers_and_votes_and_the_bar_moves_in_another_window(
    open_window: OpenWindow, make_competition: MakeCompetition
) -> None:
    competition = make_competition(name="Which stage tonight?")
    watching = open_window()
    watching.goto(f"/results/{competition.id}")
    expect(watching.get_by_text("No votes counted yet.")).to_be_visible()
    expect(watching.locator('[data-when="live"]')).to_be_visible()

    voting = open_window()
    voting.goto("/register")
    register(voting, "mara")
    voting.goto("/")
    voting.get_by_role("link", name=competition.name).click()
    voting.get_by_text("River stage").click()
    voting.get_by_role("button", name="Vote for River stage").click()

    expect(voting.get_by_role("heading", name="Your vote is recorded")).to_be_visible()
    expect(voting.locator("[data-receipt]")).to_have_text(RECEIPT)
    expect(watching.locator('.bars [data-votes="a"]')).to_have_text("1")
    expect(watching.locator('[data-bar="a"]')).to_have_attribute("width", "100%")
    expect(watching.locator('[data-bar="b"]')).to_have_attribute("width", "0%")
    expect(voting.locator('.bars [data-votes="a"]')).to_have_text(
        "1"
    )  # the results came after the vote, without a reload


def test_the_choice_is_kept_through_registering_and_logging_in(
    open_window: OpenWindow, make_competition: MakeCompetition
) -> None:
    competition = make_competition()
    page = open_window()
    page.goto(f"/vote/{competition.id}")
    page.get_by_text("Hall stage").click()
    page.locator("main").get_by_role("link", name="Register").click()
    register(page, "noor")
    expect(page.get_by_role("radio", name="Hall stage")).to_be_checked()
    page.get_by_role("button", name="Log out").click()

    page.goto(f"/vote/{competition.id}")
    page.get_by_text("Hall stage").click()
    page.get_by_role("button", name="Log in to vote for Hall stage").click()
    expect(page).to_have_url(re.compile(r"/login\?next="))
    page.fill("#username", "noor")
    page.fill("#password", PASSWORD)
    page.get_by_role("button", name="Log in").click()

    expect(page.get_by_role("radio", name="Hall stage")).to_be_checked()
    page.get_by_role("button", name="Vote for Hall stage").click()
    expect(page.get_by_text("You chose Hall stage")).to_be_visible()


def test_everything_works_without_a_script(
    open_window: OpenWindow, make_competition: MakeCompetition, make_user: MakeUser, stack: Stack
) -> None:
    competition = make_competition(allow_change=True)
    page = open_window(javascript=False)
    page.goto(f"/vote/{competition.id}")
    page.get_by_text("River stage").click()
    page.get_by_role("button", name="Log in to vote").click()
    page.get_by_role("link", name="Register").last.click()
    register(page, "ines")
    expect(page.get_by_role("radio", name="River stage")).to_be_checked()
    page.get_by_role("button", name="Vote").click()

    expect(page.get_by_role("heading", name=re.compile("Your vote is (accepted|recorded)"))).to_be_visible()
    expect(page.locator("[data-receipt]")).to_have_text(RECEIPT)
    receipt = page.locator("[data-receipt]").inner_text()
    page.locator("summary", has_text="Change your vote").click()
    page.get_by_text("Hall stage").first.click()
    page.get_by_role("button", name="Change my vote").click()
    expect(page.get_by_text("You chose Hall stage")).to_be_visible()
    page.goto(f"/receipts?code={receipt.lower().replace('-', ' ')}")
    expect(page.locator("[data-told]:not([hidden])")).to_contain_text(re.compile("Recorded|Accepted"))
    page.get_by_role("button", name="Log out").click()
    expect(page.get_by_role("link", name="Log in")).to_be_visible()
    page.goto(f"/vote/{competition.id}")
    expect(page.get_by_role("button", name="Log in to vote")).to_be_visible()


def test_the_page_keeps_the_choice_and_sends_it_again_while_nobody_answers(
    open_window: OpenWindow, make_competition: MakeCompetition, make_user: MakeUser
) -> None:
    competition, mara = make_competition(), make_user().person
    page = open_window(mara)
    presses: list[str | None] = []

    def fail_twice(route: Route) -> None:
        if route.request.method != "POST":
            route.continue_()
            return
        presses.append(route.request.post_data)
        if len(presses) == 1:
            route.fulfill(status=503, headers={"Retry-After": "1"}, json={"status": 503, "detail": "Not confirmed."})
        elif len(presses) == 2:
            route.abort()
        else:
            route.continue_()

    page.route(f"**/vote/{competition.id}", fail_twice)
    page.goto(f"/vote/{competition.id}?choice=b")
    page.get_by_role("button", name="Vote for Hall stage").dblclick()

    expect(page.get_by_text("Your vote is not confirmed yet")).to_be_visible()
    expect(page.get_by_role("button", name="Sending")).to_be_visible()
    expect(page.get_by_role("heading", name="Your vote is recorded")).to_be_visible()
    assert len(presses) == 3  # a second press of the button sent nothing
    assert len(set(presses)) == 1


def test_a_refusal_is_told_beside_the_ballot(
    open_window: OpenWindow,
    make_competition: MakeCompetition,
    make_user: MakeUser,
    stack: Stack,
    token_of: Callable[..., str],
) -> None:
    competition, account = make_competition(), make_user()
    page = open_window(account.person)
    page.goto(f"/vote/{competition.id}?choice=b")
    stack.vote(competition.id, "a", token_of(account))

    page.get_by_role("button", name="Vote for Hall stage").click()

    expect(page.locator("[data-refused]")).to_contain_text("already voted")
    page.reload()
    expect(page.get_by_text("You chose River stage")).to_be_visible()


def test_pressing_without_a_choice_says_what_is_missing(
    open_window: OpenWindow, make_competition: MakeCompetition, make_user: MakeUser
) -> None:
    competition = make_competition()
    page = open_window(make_user().person)
    page.goto(f"/vote/{competition.id}")

    page.get_by_role("button", name="Choose an option to vote").click()

    expect(page.get_by_text("Choose an option first.")).to_be_visible()
    expect(page.get_by_role("radio", name="River stage")).to_be_focused()


def test_a_vote_can_be_cast_with_the_keyboard_alone(
    open_window: OpenWindow, make_competition: MakeCompetition, make_user: MakeUser
) -> None:
    competition = make_competition()
    page = open_window(make_user().person)
    page.goto(f"/vote/{competition.id}")

    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to content")).to_be_focused()
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    page.keyboard.press("Space")
    page.keyboard.press("ArrowDown")
    expect(page.get_by_role("radio", name="Hall stage")).to_be_checked()
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")

    expect(page.get_by_role("heading", name=re.compile("Your vote is"))).to_be_focused()


LINES = """
(button) => {
  const range = document.createRange();
  const linesOf = (text, from, to) => {
    range.setStart(text, from);
    range.setEnd(text, to);
    return new Set([...range.getClientRects()].map((one) => Math.round(one.top))).size;
  };
  const broken = [];
  const walker = document.createTreeWalker(button, NodeFilter.SHOW_TEXT);
  for (let text = walker.nextNode(); text; text = walker.nextNode()) {
    for (const { 0: word, index } of text.data.matchAll(/\\S+/g)) {
      if (linesOf(text, index, index + word.length) > 1) broken.push(word);
    }
  }
  return broken;
}
"""


@pytest.mark.parametrize("width", [390, 1280])
def test_the_button_breaks_a_long_option_between_its_words(
    open_window: OpenWindow, make_competition: MakeCompetition, width: int
) -> None:
    long = "Build the bridge over the river beside the old mill, with a lane for people on bicycles"
    page = open_window(viewport={"width": width, "height": 844})
    page.goto(f"/vote/{make_competition(options=[long, 'No']).id}?choice=a")
    button = page.locator("[data-vote-button]")
    expect(button).to_have_text(f"Log in to vote for {long}")

    assert button.evaluate(LINES) == []
    assert button.evaluate("one => one.childNodes.length") == 1, "a button lays out each child by itself"


def test_a_typo_in_an_option_is_corrected_before_anybody_has_voted(
    open_window: OpenWindow, make_competition: MakeCompetition, organiser: Person
) -> None:
    competition = make_competition(options=["Piza?", "Soup"])
    dashboard = open_window(organiser)
    dashboard.goto(f"/admin/competitions/{competition.id}")
    expect(dashboard.locator("[aria-labelledby=correct]")).to_contain_text("Options are fixed once voting has started.")
    dashboard.fill("#correct-name", "")
    dashboard.get_by_role("button", name="Correct wording").click()
    expect(dashboard.locator("#correct-name-error")).to_be_visible()
    expect(dashboard.locator("#name-error")).to_have_count(0)
    dashboard.fill("#correct-name", competition.name)
    dashboard.fill("#correct-a", "Pizza?")
    dashboard.get_by_role("button", name="Correct wording").click()
    expect(dashboard.get_by_text("Corrected. Everyone sees the old and the new words.")).to_be_visible()
    dashboard.fill("#name", "")
    dashboard.get_by_role("button", name="Save").click()
    expect(dashboard.locator("#name-error")).to_be_visible()
    expect(dashboard.locator("#correct-name-error")).to_have_count(0)

    page = open_window()
    page.goto(f"/vote/{competition.id}?choice=a")
    expect(page.get_by_role("button", name="Log in to vote for Pizza?")).to_be_visible()
    expect(page.locator(".corrections")).to_contain_text("Piza? → Pizza?")
