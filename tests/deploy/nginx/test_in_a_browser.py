"""What Chromium makes of it: HTTP/2, the socket, and the maintenance page under its own policy."""

from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Browser, expect

from tests.browser.chromium import Watched, chromium, log_in, window
from tests.deploy.nginx.house import House, house
from tests.module_wide import database_url, environment, redis_url
from vote.config import Settings
from vote.db.users import Account
from vote.domain.competition import Competition

__all__ = ["database_url", "environment", "house", "redis_url"]  # one database for the whole file
pytestmark = pytest.mark.browser

MakeUser = Callable[..., Account]
MakeCompetition = Callable[..., Competition]


@pytest.fixture
def browser() -> Iterator[Browser]:
    with chromium() as one:
        yield one


def test_a_browser_votes_over_http_2_and_sees_it_live(
    house: House, browser: Browser, make_competition: MakeCompetition, make_user: MakeUser, settings: Settings
) -> None:
    """Pages, script, style, the ballot and the socket, as Chromium takes them from nginx; no page complains."""
    one = make_competition()
    how = {"ignore_https_errors": True}  # the tests' authority is in no browser
    watcher, voter = window(browser, house.url, **how), window(browser, house.url, **how)
    log_in(voter, house.url, settings, make_user().id)
    watching, voting = watcher.new_page(), voter.new_page()
    watched = [Watched(watching), Watched(voting)]
    watching.goto(f"/results/{one.id}")
    expect(watching.locator('[data-when="live"]')).to_be_visible()

    voting.goto(f"/vote/{one.id}")
    assert voting.evaluate("performance.getEntriesByType('navigation')[0].nextHopProtocol") == "h2"
    voting.get_by_text("River stage").click()
    voting.get_by_role("button", name="Vote for River stage").click()

    expect(voting.get_by_role("heading", name="Your vote is recorded")).to_be_visible()
    expect(watching.locator('.bars [data-votes="a"]')).to_have_text("1")
    assert [complaint for page in watched for complaint in page.complaints] == []


def test_the_maintenance_page_in_a_browser(house: House, browser: Browser) -> None:
    """Its style is not refused by its own policy, it fits a phone, and is readable in the dark."""
    site = house.site
    lines = [site.web_file(number) for number in (1, 2)]
    texts = [line.read_text("utf-8") for line in lines]
    for line, text in zip(lines, texts, strict=True):
        line.write_text(text.replace(";", " down;"), "utf-8")
    site.reload()
    try:
        for scheme, paper in (("light", "rgb(246, 244, 238)"), ("dark", "rgb(20, 21, 25)")):
            context = window(
                browser,
                house.url,
                ignore_https_errors=True,
                color_scheme=scheme,
                viewport={"width": 320, "height": 640},
            )
            page = context.new_page()
            watched = Watched(page)
            answer = page.goto("/vote/1")
            assert answer is not None
            assert answer.status == 503
            expect(page.get_by_role("heading", name="Not available at the moment")).to_be_visible()
            assert page.evaluate("getComputedStyle(document.body).backgroundColor") == paper
            assert page.evaluate("document.documentElement.scrollWidth <= 320")
            assert [one for one in watched.complaints if "status of 503" not in one] == []
            context.close()
    finally:
        for line, text in zip(lines, texts, strict=True):
            line.write_text(text, "utf-8")
        site.reload()
