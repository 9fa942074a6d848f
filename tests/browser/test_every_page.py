"""Every page in every state: no complaint of the browser, no sideways scrolling, readable and reachable for everybody."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page

from tests.browser.chromium import NARROW, WIDE
from tests.browser.conftest import OpenWindow
from tests.browser.scenes import House
from tests.casting import installation_of
from tests.module_wide import database_url, environment, redis_url, stack
from tests.stack import Stack
from vote import config
from vote.ballotlog.log import BallotLog
from vote.db.pool import Database

__all__ = ["database_url", "environment", "redis_url", "stack"]  # one system for the whole file
pytestmark = [pytest.mark.slow, pytest.mark.browser]

AUDIT = (Path(__file__).parent / "audit.js").read_text("utf-8").split("\n", 1)[1].rstrip().rstrip(";")
HOW: dict[str, dict[str, Any]] = {
    "wide": {"viewport": WIDE},
    "narrow": {"viewport": NARROW},
    "dark": {"viewport": WIDE, "color_scheme": "dark"},
    "narrow without a script": {"viewport": NARROW, "javascript": False},
}


@pytest.fixture(scope="module")
def house(environment: dict[str, str], stack: Stack) -> Iterator[House]:
    """Competitions in every state, and long words; nobody changes them."""
    settings = config.load(environment)
    owner = Database(settings.database("owner"), size=2, name="vote tests")
    log = BallotLog(settings.log_url, settings.vote_shards, installation_of(settings))
    furnished = House(owner, log, settings.log_url)
    furnished.furnish()
    furnished.furnish_with_long_words()
    yield furnished
    log.close()
    owner.close()


@pytest.mark.parametrize("how", list(HOW))
def test_every_page_is_in_order(open_window: OpenWindow, house: House, stack: Stack, how: str) -> None:
    windows: dict[str | None, Page] = {}
    wrong: dict[str, object] = {}
    asked: set[str] = set()

    for scene in house.scenes() + house.long_scenes():
        if scene.who not in windows:
            windows[scene.who] = open_window(house.people[scene.who] if scene.who else None, **HOW[how])
            windows[scene.who].on("request", lambda request: asked.add(request.url))
        page = windows[scene.who]
        answer = page.goto(scene.path)
        assert answer is not None
        if answer.status != scene.status:
            wrong[scene.name] = f"status {answer.status}"
            continue
        if found := page.evaluate(AUDIT):
            wrong[scene.name] = found

    assert wrong == {}
    ours = (stack.url, stack.url.replace("http", "ws", 1), "data:")
    assert [url for url in asked if not url.startswith(ours)] == [], "nobody else learns who is here"


def test_the_audit_sees_what_is_wrong(browser: Browser) -> None:
    page = browser.new_page(viewport=NARROW)
    page.set_content(
        "<html lang=de><h1>One</h1><h1>Two</h1><h3 id=x>Three</h3><p id=x style='color:#999;background:#fff'>pale</p>"
        "<input aria-invalid=true><button style='height:20px'>low</button><div style='width:500px'>wide</div>"
    )

    told = " ".join(page.evaluate(AUDIT))

    for fault in (
        "lang",
        "h1",
        "no main",
        "sideways",
        "level",
        "same id",
        "no label",
        "not tied",
        "px",
        "contrast 2.8",
    ):
        assert fault in told
    page.close()
