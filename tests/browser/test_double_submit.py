"""Every form of the product, pressed twice as people do it: at once, a moment later, and on a slow line.

What a second press may change is counted in `tests/integration/web/test_double_submit.py`; here a real browser cuts off the
first answer, keeps its cookie or not, and must end where one press leads.
"""

import re
import time
from typing import Any

import pytest
from playwright.sync_api import Browser, ElementHandle, Error, Page, expect

from tests import forms
from tests.browser.chromium import log_in, window
from tests.conftest import environment_of
from tests.forms import Press, World
from tests.module_wide import database_url, redis_url, stack
from tests.stack import Stack
from vote.config import Settings
from vote.db.pool import Database
from vote.db.users import Account

__all__ = ["database_url", "redis_url", "stack"]  # one system for the whole file
pytestmark = [pytest.mark.slow, pytest.mark.browser]

PASSWORD = "river-otter-lantern-9"
GAPS_MS = (0, 5, 50, 250)
SLOW = {"offline": False, "latency": 300, "downloadThroughput": 50_000, "uploadThroughput": 50_000}
PATIENCE_MS = 30_000  # a password is hashed by whatever the machine has to spare
SLOW_GAP_MS = 600  # the answer is on its way, and the form still on the screen


@pytest.fixture(scope="module")
def environment(database_url: str, redis_url: str, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """With a mail that confirms the address: the page of the account then has one form more."""
    return {**environment_of(database_url, redis_url, tmp_path_factory.mktemp("wide")), "EMAIL_CONFIRMATION": "on"}


@pytest.fixture
def world(owner: Database, make_user: forms.MakeUser, make_competition: forms.MakeCompetition) -> World:
    hashed = make_user(password=PASSWORD).password_hash

    def with_password(**how: Any) -> Account:
        """An account with the password, which is hashed once for all of them."""
        account = make_user(**how)
        made.sql("UPDATE users SET password_hash = %s WHERE id = %s", hashed, account.id)
        return account

    made = World(owner, with_password, make_competition, password=PASSWORD)
    return made


def fill(page: Page, press: Press) -> ElementHandle:
    """Type what there is to type. The button."""
    form = page.locator(f'main form[action="{press.path}"], header form[action="{press.path}"]')
    for name, value in press.fields.items():
        for field, text in zip(
            form.locator(f'[name="{name}"]').all(), value if isinstance(value, list) else [value], strict=False
        ):
            if field.get_attribute("type") in ("radio", "checkbox"):
                form.locator(f'[name="{name}"][value="{text}"]').check()
            else:
                field.fill(text)
    found = form.locator("button:not([type=button], [name=more])").last.element_handle()
    assert found is not None
    return found


def press_twice(page: Page, button: ElementHandle, gap_ms: int) -> None:
    """Click where the button is, twice, unless the page has gone by then."""
    button.scroll_into_view_if_needed()
    box = button.bounding_box()
    assert box is not None
    at = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    if not gap_ms:
        page.mouse.dblclick(*at)  # in one go: of two clicks the second may meet what stands there on the next page
        return
    page.mouse.click(*at)
    time.sleep(gap_ms / 1000)  # the time between two presses of a finger is what is tried here
    try:
        if not button.evaluate("(it) => it.isConnected"):
            return
    except Error:
        return  # the next page is here
    page.mouse.click(*at)


def leads_to(press: Press) -> re.Pattern[str]:
    """Where one press leads. An address that is to be confirmed is not changed yet."""
    path = re.escape(press.leads_to).replace(re.escape("{new}"), r"\d+").replace("=email", "=mail")
    return re.compile(rf"^http://[^/]+{path}$")


def press_one(page: Page, press: Press, gap_ms: int) -> None:
    """Fill in one form, press it twice, and see where it leads."""
    page.goto(press.page)
    button = fill(page, press)
    if press.asks:
        button.click()
        expect(page.locator('[name="sure"]')).to_be_attached()
        asked = page.locator(f'main form[action="{press.path}"] button').element_handle()
        assert asked is not None
        button = asked
    press_twice(page, button, gap_ms)
    expect(page).to_have_url(leads_to(press), timeout=PATIENCE_MS)
    page.wait_for_load_state()
    expect(page.locator(".notice.wrong")).to_have_count(0)
    expect(page.locator("p.state", has_text=re.compile(r"^\d{3}$"))).to_have_count(0)  # of a page of an error


@pytest.mark.parametrize("gap_ms", [*GAPS_MS, SLOW_GAP_MS])
def test_every_form_can_be_pressed_twice(
    browser: Browser, stack: Stack, settings: Settings, world: World, subtests: pytest.Subtests, gap_ms: int
) -> None:
    created = "SELECT count(*) FROM competitions WHERE name = 'Which of these?'"
    before = world.sql(created)[0][0]
    for name, case in forms.every_case():
        with subtests.test(name):
            press = case(world)
            context = window(browser, stack.url)
            if press.who is not None:
                log_in(context, stack.url, settings, press.who.id)
            page = context.new_page()
            if gap_ms == SLOW_GAP_MS:
                network = context.new_cdp_session(page)
                network.send("Network.enable")
                network.send("Network.emulateNetworkConditions", SLOW)
            press_one(page, press, gap_ms)
            if case in forms.LOGGED_IN_AFTERWARDS:
                expect(page.locator("header form[action='/logout']")).to_be_attached()
            context.close()
    assert world.sql(created)[0][0] - before == 1
