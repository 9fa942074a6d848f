"""Accounts in a browser: registering, logging in and out, what stays in a form and what leaves the browser."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest

import vote.web
from tests.integration.clients import Browser
from vote.db.users import Account

PERSON = {
    "username": "Ada.L-1",
    "email": "test@example.com",
    "password": "Pass123!",
    "confirm_password": "Pass123!",
}
SCRIPTS = Path(vote.web.__file__).with_name("static") / "js"
PASSWORD_FIELDS = re.compile(r'<input[^>]*name="[^"]*password"[^>]*>')


def test_a_browser_registers_and_is_logged_in(browser: Browser) -> None:
    answer = browser.submit("/register", "/register", **PERSON)

    assert answer.status_code == 303
    assert answer.location == "/"
    assert browser.get("/api/me").json["username"] == "Ada.L-1"


def test_what_was_typed_stays_but_not_the_password(browser: Browser) -> None:
    answer = browser.submit("/register", "/register", **{**PERSON, "email": "<ada>", "confirm_password": "else"})

    assert answer.status_code == 422
    assert 'value="Ada.L-1"' in answer.text
    assert 'value="&lt;ada&gt;"' in answer.text
    assert "name@example.org" in answer.text
    assert "do not match" in answer.text
    assert "Pass123!" not in answer.text


def test_a_taken_name_is_said_beside_the_field(browser: Browser, make_user: Callable[..., Account]) -> None:
    make_user(username="Ada.L-1")

    answer = browser.submit("/register", "/register", **PERSON)

    assert answer.status_code == 409
    assert "in use" in answer.text


def test_a_wrong_login_is_said_on_the_form(browser: Browser, make_user: Callable[..., Account]) -> None:
    account = make_user(password="Pass123!")

    answer = browser.submit("/login", "/login", username=account.username, password="wrong", next="/vote/7?choice=a")

    assert answer.status_code == 401
    assert "Wrong username or password." in answer.text
    assert f'value="{account.username}"' in answer.text
    assert "/vote/7?choice=a" in answer.text


def test_a_login_begins_another_session(browser: Browser, make_user: Callable[..., Account]) -> None:
    account = make_user(password="Pass123!")
    browser.get("/login")
    with browser.client.session_transaction(base_url="https://localhost") as session:
        planted = session["sid"]

    browser.log_in(account)

    with browser.client.session_transaction(base_url="https://localhost") as session:
        assert session["sid"] != planted
        assert session["uid"] == account.id


def test_a_login_ends_the_session_that_was_there(browser: Browser, make_user: Callable[..., Account]) -> None:
    account = make_user(password="Pass123!")
    browser.log_in(account)
    before = browser.client.get_cookie("__Host-session")
    assert before is not None

    again = browser.submit("/account", "/login", username=account.username, password="Pass123!")

    assert again.status_code == 303
    assert browser.get("/api/me").status_code == 200
    browser.client.set_cookie("__Host-session", before.value, secure=True)
    assert browser.get("/api/me").status_code == 401


def test_the_session_cookie_is_guarded(browser: Browser) -> None:
    cookie = browser.get("/login").headers["Set-Cookie"]

    assert cookie.startswith("__Host-session=")
    for attribute in ("Secure", "HttpOnly", "SameSite=Lax", "Path=/"):
        assert f"; {attribute}" in cookie
    assert "Expires" not in cookie


def test_who_is_logged_in_is_sent_on(browser: Browser, make_user: Callable[..., Account]) -> None:
    browser.log_in(make_user(password="Pass123!"))

    assert browser.get("/login?next=/vote/1").location == "/vote/1"
    assert browser.get("/register").location == "/"


def test_logout_ends_the_session_and_every_copy_of_its_cookie(
    browser: Browser, make_user: Callable[..., Account]
) -> None:
    browser.log_in(make_user(password="Pass123!"))
    copy = browser.client.get_cookie("__Host-session")
    assert copy is not None

    answer = browser.submit("/account", "/logout")

    assert answer.status_code == 303
    assert browser.get("/api/me").status_code == 401
    browser.client.set_cookie("__Host-session", copy.value, secure=True)
    assert browser.get("/api/me").status_code == 401


@pytest.mark.parametrize("form", ["/logout", "/account/logout-everywhere", "/account/delete"])
def test_who_leaves_leaves_nothing_in_the_browser(
    browser: Browser, make_user: Callable[..., Account], form: str
) -> None:
    browser.log_in(make_user(password="Pass123!"))
    fields = {"password": "Pass123!"} if form == "/account/delete" else {}
    assert "Clear-Site-Data" not in browser.get("/account").headers

    answer = browser.submit("/account", form, **fields)

    assert answer.headers["Clear-Site-Data"] == '"storage"'
    assert answer.headers["Cache-Control"] == "no-store"
    assert "__Host-session=;" in answer.headers["Set-Cookie"]


def test_password_managers_know_every_password_field(browser: Browser, make_user: Callable[..., Account]) -> None:
    """Masked, named for what it takes, and nothing in the way of pasting (ASVS 5.0 6.2.6 and 6.2.7)."""
    pages = [browser.get("/login").text, browser.get("/register").text]
    browser.log_in(make_user(password="Pass123!"))
    fields = [field for page in [*pages, browser.get("/account").text] for field in PASSWORD_FIELDS.findall(page)]

    assert len(fields) >= 8
    for field in fields:
        is_new = re.search(r'name="(new|confirm)_password"', field) is not None
        assert 'type="password"' in field
        assert re.search(r'autocomplete="(new|current)-password"', field)
        assert not is_new or 'autocomplete="new-password"' in field
        assert "onpaste" not in field
        assert "maxlength" not in field
    scripts = "".join(path.read_text("utf-8") for path in SCRIPTS.glob("*.js"))
    assert '"paste"' not in scripts


def test_next_leads_nowhere_else(browser: Browser, make_user: Callable[..., Account]) -> None:
    account = make_user(password="Pass123!")

    answer = browser.submit("/login", "/login", username=account.username, password="Pass123!", next="//evil.example")

    assert answer.status_code == 303
    assert answer.location == "/"
    assert browser.get("/login?next=https://evil.example/").location == "/"


def test_next_leads_to_a_page_of_ours(browser: Browser, make_user: Callable[..., Account]) -> None:
    account = make_user(password="Pass123!")

    answer = browser.submit("/login", "/login", username=account.username, password="Pass123!", next="/vote/1?choice=b")

    assert answer.location == "/vote/1?choice=b"
