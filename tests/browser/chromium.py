"""Debian's Chromium, and pages that remember everything a browser complained about."""

import contextlib
import time
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, sync_playwright

from vote.config import Settings
from vote.identity import sessions

EXECUTABLE = "/usr/bin/chromium"
ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
WIDE = {"width": 1100, "height": 800}
PHONE = {"width": 390, "height": 844}
NARROW = {"width": 320, "height": 640}


@contextlib.contextmanager
def chromium() -> Iterator[Browser]:
    """A browser, closed afterwards."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=EXECUTABLE, args=ARGUMENTS)
        try:
            yield browser
        finally:
            browser.close()


def window(browser: Browser, url: str, **how: Any) -> BrowserContext:
    """A person's own window: its cookies are shared with nobody."""
    wanted = {"viewport": WIDE, "locale": "en-GB", "timezone_id": "Europe/Berlin", "reduced_motion": "reduce", **how}
    context = browser.new_context(base_url=url, **wanted)
    context.set_default_timeout(15_000)
    return context


def log_in(context: BrowserContext, url: str, settings: Settings, user_id: int) -> None:
    """The session that a login would begin; typing a password is another test's matter."""
    session: dict[str, Any] = {}
    sessions.begin(session, user_id, now=time.time())
    value = sessions.serializer_of(settings.flask_secret_keys).dumps(session)
    text = value.decode("ascii") if isinstance(value, bytes) else value
    at = urlsplit(url)
    context.add_cookies(
        [
            {
                "name": sessions.cookie_name(settings),
                "value": text,
                "domain": at.hostname or "",
                "path": "/",
                "secure": settings.vote_cookie_secure,
                "httpOnly": True,
                "sameSite": "Lax",
            }
        ]
    )


class Watched:
    """What a page complained about: console errors and warnings, exceptions, refused content."""

    def __init__(self, page: Page) -> None:
        self.complaints: list[str] = []
        page.on("console", self._hear)
        page.on("pageerror", lambda error: self.complaints.append(f"exception: {error}"))

    def _hear(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            self.complaints.append(f"{message.type}: {message.text}")
