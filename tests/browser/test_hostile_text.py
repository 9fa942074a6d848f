"""Names, descriptions and options that are scripts stay text, in the page and where the live results write it again."""

from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import OpenWindow
from tests.hostile import PAYLOADS
from vote.db.users import Account
from vote.domain.competition import Competition

pytestmark = [pytest.mark.slow, pytest.mark.browser]

OPTIONS = 26
HOSTILE = [PAYLOADS[start : start + OPTIONS] for start in range(0, len(PAYLOADS), OPTIONS)]


def assert_tame(page: Page, *texts: str) -> None:
    for text in texts:
        expect(page.locator("body")).to_contain_text(text, use_inner_text=True)
    assert page.evaluate("window.hostile") is None
    assert page.locator("script:not([src^='/static/']):not([type='application/json'])").count() == 0
    assert page.locator("main :is(iframe, object, embed, base, meta, link, style)").count() == 0


def test_hostile_text_stays_text(
    open_window: OpenWindow, make_competition: Callable[..., Competition], make_user: Callable[..., Account]
) -> None:
    voter, organiser = open_window(make_user().person), open_window(make_user(role="admin").person)
    for options in HOSTILE:
        first, second = options[:2]
        one = make_competition(name=first, description=second, options=list(options))

        voter.goto(f"/results/{one.id}")
        assert_tame(voter, *options)
        voter.goto("/")
        assert_tame(voter, first)
        voter.goto(f"/vote/{one.id}?choice=b")
        assert_tame(voter, *options)
        voter.get_by_role("button", name="Vote for").click()
        expect(voter.get_by_role("heading", name="Your vote is recorded")).to_be_visible()
        assert_tame(voter, *options)
        voter.goto("/account")
        assert_tame(voter, first, second)
        for path in ("/admin", f"/admin/competitions/{one.id}"):
            organiser.goto(path)
            assert_tame(organiser, first)
