"""The life of an account in a real browser: register, confirm, log in, vote, another password, a forgotten one, log out."""

import re

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import OpenWindow
from tests.browser.test_voting import PASSWORD, MakeCompetition, register
from tests.stack import wait_until

pytestmark = pytest.mark.browser

NEW, NEWER = "lantern-river-otter-8", "otter-lantern-river-7"


@pytest.fixture
def environment(environment: dict[str, str]) -> dict[str, str]:
    """A site that wants addresses confirmed."""
    return {**environment, "EMAIL_CONFIRMATION": "on"}


def link(reader: Page, subject: str) -> str:
    """Path and fragment of the link in the newest mail with this subject, as a developer reads it."""

    def newest() -> str | None:
        reader.goto("/outbox")
        letter = reader.locator(".letter pre", has_text=re.compile(rf"^\s*{subject}")).first
        return letter.locator("a").first.get_attribute("href") if letter.count() else None

    found = re.fullmatch(r"https?://[^/]+(/\w+#[\w-]{43})", wait_until(newest, what=subject))
    assert found is not None
    return found[1]


def log_in(page: Page, password: str) -> None:
    page.goto("/login")
    page.fill("#username", "mara")
    page.fill("#password", password)
    page.click("main button.primary")


def log_out(page: Page) -> None:
    page.get_by_role("button", name="Log out", exact=True).click()
    expect(page.get_by_role("link", name="Log in")).to_be_visible()


def test_from_registering_to_logging_out(open_window: OpenWindow, make_competition: MakeCompetition) -> None:
    competition = make_competition()
    page, reader = open_window(), open_window()

    page.goto("/register")
    page.fill("#username", "mara")
    page.fill("#password", "short")
    expect(page.locator(".strength")).to_have_text("3 more characters needed.")
    page.fill("#password", "mara-2026")
    expect(page.locator(".strength")).to_contain_text("It contains your name")
    page.fill("#password", PASSWORD)
    expect(page.locator(".strength")).to_have_text("Strong.")
    register(page, "mara")

    page.goto(f"/vote/{competition.id}")
    expect(page.get_by_text("before you vote")).to_be_visible()
    page.get_by_text("River stage").click()
    page.get_by_role("button", name="Vote for River stage").click()
    expect(page.locator("[data-refused]")).to_contain_text("Confirm your email address before you vote")

    page.goto(link(reader, "Confirm your email address"))
    expect(page, "it stays in no history").to_have_url(re.compile(r"^[^#]+$"))
    expect(page.locator("#token")).to_be_hidden()
    page.get_by_role("button", name="Confirm my address").click()
    expect(page.get_by_text("Your email address is confirmed.")).to_be_visible()
    log_out(page)

    log_in(page, PASSWORD)
    expect(page.get_by_role("link", name="mara")).to_be_visible()
    page.goto(f"/vote/{competition.id}")
    page.get_by_text("River stage").click()
    page.get_by_role("button", name="Vote for River stage").click()
    expect(page.get_by_role("heading", name="Your vote is recorded")).to_be_visible()

    page.goto("/account")
    expect(page.get_by_text("This device.")).to_have_count(1)
    page.fill("#current_password", PASSWORD)
    page.fill("#new_password", NEW)
    page.fill("#confirm_password", NEW)
    page.get_by_role("button", name="Change password").click()
    expect(page.get_by_text("Your password is changed.")).to_be_visible()
    log_out(page)

    page.goto("/login")
    page.get_by_role("link", name="Forgot your password?").click()
    page.fill("#email", "mara@example.com")
    page.get_by_role("button", name="Send me a link").click()
    expect(page.get_by_text("an email is on its way")).to_be_visible()
    page.goto(link(reader, "Reset your password"))
    expect(page.locator("#new_password")).to_be_focused()
    page.fill("#new_password", NEWER)
    page.fill("#confirm_password", NEWER + "x")
    page.get_by_role("button", name="Set new password").click()
    expect(page.locator("#confirm_password-error")).to_be_visible()
    expect(page.locator("#token")).to_be_hidden()
    page.fill("#new_password", NEWER)
    page.fill("#confirm_password", NEWER)
    page.get_by_role("button", name="Set new password").click()
    expect(page.get_by_text("Log in with the new one")).to_be_visible()

    log_in(page, NEW)
    expect(page.get_by_text("Wrong username or password.")).to_be_visible()
    log_in(page, NEWER)
    expect(page.get_by_role("link", name="mara")).to_be_visible()
    log_out(page)
