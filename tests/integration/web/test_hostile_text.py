"""Every field that a person may fill in, filled with scripts: a page shows it as text, JSON gives it back as it was."""

import html
from collections.abc import Callable
from html.parser import HTMLParser

import pytest

from tests.hostile import PAYLOADS
from tests.integration.clients import PASSWORD, ApiClient, Browser
from vote.db.users import Account
from vote.domain.competition import Competition

ADDRESSES = ("href", "src", "action", "formaction", "data")


class Elements(HTMLParser):
    """The elements and attributes of a page, as a browser would make them."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        runs = any(
            name.startswith("on") or (name in ADDRESSES and (value or "").startswith("javascript:"))
            for name, value in attrs
        )
        if runs or (tag == "script" and not dict(attrs).get("src", "").startswith("/static/")):
            self.found.append(f"<{tag} {attrs}>")


@pytest.fixture
def made(make_competition: Callable[..., Competition]) -> dict[str, Competition]:
    """A competition per payload, with the payload in each of its fields."""
    return {
        text: make_competition(name=text, description=f"{text}\n{text}", options=[text, f"{text} too"])
        for text in PAYLOADS
    }


def test_no_field_of_a_competition_becomes_an_element(
    made: dict[str, Competition], browser: Browser, make_user: Callable[..., Account]
) -> None:
    browser.log_in(make_user(role="admin", password=PASSWORD))

    for text, one in made.items():
        for path in (f"/results/{one.id}", f"/vote/{one.id}", f"/admin/competitions/{one.id}"):
            page = browser.get(path).text
            assert text in html.unescape(page), path
            assert Elements(page).found == [], path
    for path in ("/", "/admin"):
        assert Elements(browser.get(path).text).found == [], path


@pytest.mark.parametrize("field", ["username", "email", "password", "confirm_password"])
def test_no_field_of_a_form_becomes_an_element_of_the_form_that_is_shown_again(browser: Browser, field: str) -> None:
    for text in PAYLOADS:
        answer = browser.submit("/register", "/register", **{field: text})
        assert answer.status_code == 422
        assert Elements(answer.text).found == [], text


@pytest.mark.parametrize("address", ["/receipts?code={}", "/login?next={}", "/vote/1?choice={}", "/{}"])
def test_no_part_of_an_address_becomes_an_element(browser: Browser, address: str) -> None:
    for text in PAYLOADS:
        answer = browser.get(address.format(text.replace("%", "%25").replace("#", "%23")))
        assert answer.status_code < 500
        assert Elements(answer.text).found == [], text


def test_the_api_gives_text_back_as_it_was_and_never_as_a_page(made: dict[str, Competition], api: ApiClient) -> None:
    listed = api.get("/api/competitions")

    assert listed.mimetype == "application/json"
    assert {one["name"] for one in listed.json["competitions"]} >= set(made)
