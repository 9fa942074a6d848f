"""A password that somebody else made for an account: its owner is asked to choose another until they have."""

from pathlib import Path

import pytest

from tests.integration.clients import PASSWORD, ApiClient, Browser
from vote.actions import accounts
from vote.config import Settings
from vote.db import users
from vote.db.pool import Database
from vote.db.users import Account
from vote.ops import first_start
from vote.ops.embedded.home import Home, prepare

NOTICE = "You are using a temporary password"
OWN = "Pass1234!?"


@pytest.fixture
def home(tmp_path: Path, owner: Database, settings: Settings) -> Home:
    """A new installation, with its first admin."""
    home = prepare(tmp_path / "home")
    first_start.furnish(settings, home)
    return home


@pytest.fixture
def first_admin(home: Home, owner: Database) -> Account:
    with owner.read() as tx:
        account = users.find_by_username(tx, first_start.ADMIN)
    assert account is not None
    return account


def change(browser: Browser, home: Home) -> None:
    now = (home.path / "admin-password").read_text().strip()
    passwords = {"current_password": now, "new_password": OWN, "confirm_password": OWN}
    assert browser.submit("/account", "/account/password", **passwords).status_code == 303


def test_every_page_asks_for_another_until_it_is_chosen(
    browser: Browser, first_admin: Account, home: Home, settings: Settings
) -> None:
    pages = ("/", "/account", "/admin", "/admin/people", "/admin/locks", "/vote/1", "/nothing-here")
    browser.be(first_admin, settings)
    before = {page: NOTICE in browser.get(page).text for page in pages}

    change(browser, home)

    assert before == dict.fromkeys(pages, True)
    assert [page for page in pages if NOTICE in browser.get(page).text] == []


def test_it_works_all_the_same_and_the_export_says_so(
    browser: Browser, api: ApiClient, first_admin: Account, home: Home, settings: Settings
) -> None:
    browser.be(first_admin, settings)
    password = (home.path / "admin-password").read_text().strip()
    token = api.post("/login", json={"username": "admin", "password": password}).get_json()["token"]
    client = ApiClient(api.app, token)

    made = client.post("/api/admin/competitions", json={"name": "Which?", "option_a": "This", "option_b": "That"})

    assert made.status_code == 201
    assert client.get("/api/me/export").get_json()["first_password"] is True
    change(browser, home)
    assert browser.get("/api/me/export").get_json()["first_password"] is False


def test_the_start_tells_of_it_only_while_it_is_in_use(
    browser: Browser, first_admin: Account, home: Home, settings: Settings
) -> None:
    assert first_start.furnish(settings, home) == home.path / "admin-password"
    browser.be(first_admin, settings)

    change(browser, home)

    assert first_start.furnish(settings, home) is None


def test_a_password_of_ones_own_is_none(browser: Browser, ada: Account, owner: Database, settings: Settings) -> None:
    browser.be(ada, settings)
    assert NOTICE not in browser.get("/account").text

    accounts.reset_password(owner, username="ada", password=OWN, by="tests")  # as an operator does

    later = Browser(browser.client.application)
    later.log_in(ada, OWN)
    assert NOTICE in later.get("/account").text


@pytest.fixture
def ada(api: ApiClient, owner: Database) -> Account:
    """Somebody who has registered."""
    fields = {"username": "ada", "email": "ada@example.com", "password": PASSWORD, "confirm_password": PASSWORD}
    assert api.post("/register", json=fields).status_code == 201
    with owner.read() as tx:
        account = users.find_by_username(tx, "ada")
    assert account is not None
    return account
