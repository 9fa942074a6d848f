"""A browser per test process, windows per person, and the house of competitions for tests that look at every page."""

import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Page

from tests.browser.chromium import Watched, chromium, log_in, window
from tests.browser.scenes import House
from tests.stack import Stack
from vote.ballotlog.log import BallotLog
from vote.config import Settings
from vote.db.pool import Database
from vote.domain.person import Person

# What Chromium itself says of an answer that is meant to be an error, and of a connection that a test has cut.
MEANT = re.compile(
    r"Failed to load resource: (the server responded with a status of (401|403|404|409|412|422|503)|net::ERR_FAILED)"
    r"|WebSocket connection to '[^']*' failed: .* Unexpected response code: 503"  # a store is away: polled instead
)

OpenWindow = Callable[..., Page]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Debian's Chromium. Ended after each file: while Playwright runs, no test of another one could use asyncio.run."""
    with chromium() as one:
        yield one


@pytest.fixture
def open_window(browser: Browser, stack: Stack, settings: Settings) -> Iterator[OpenWindow]:
    """Opens a person's window: `open_window(person, javascript=False, …)`. What it complained about fails the test."""
    contexts: list[BrowserContext] = []
    watched: list[Watched] = []

    def open_one(person: Person | None = None, *, javascript: bool = True, **how: Any) -> Page:
        context = window(browser, stack.url, java_script_enabled=javascript, **how)
        contexts.append(context)
        if person is not None:
            log_in(context, stack.url, settings, person.id)
        page = context.new_page()
        watched.append(Watched(page))
        return page

    yield open_one
    for context in contexts:
        for page in context.pages:
            page.unroute_all(behavior="ignoreErrors")
        context.close()
    complaints = [complaint for one in watched for complaint in one.complaints if not MEANT.search(complaint)]
    assert complaints == []


@pytest.fixture
def house(owner: Database, log: BallotLog, settings: Settings, stack: Stack) -> House:
    """Competitions in every state."""
    furnished = House(owner, log, settings.log_url)
    furnished.furnish()
    return furnished
