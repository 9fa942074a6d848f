"""`python -m tests.browser.screenshots [name …]`: pictures of each page, wide, on a phone and dark, into build/screenshots/.

`make screenshots` runs it. The README's own three are copied into docs/screenshots/.

Starts servers, web and worker of its own and ends them.
"""

import contextlib
import os
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, Page, Route

from tests.browser.chromium import PHONE, WIDE, chromium, log_in, window
from tests.browser.scenes import House, Scene
from tests.browser.small_png import small
from tests.casting import installation_of
from tests.servers import Pair, start_pair
from tests.stack import Stack, running
from vote import config
from vote.actions import competitions
from vote.auth import create_jwt_token
from vote.ballotlog.log import BallotLog
from vote.config import Settings
from vote.db import migrate
from vote.db.pool import Database

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "build" / "screenshots"
SHOWN = ROOT / "docs" / "screenshots"
IN_README = ("recorded-wide", "dashboard-wide", "results-phone")
KINDS: dict[str, dict[str, Any]] = {
    "wide": {"viewport": WIDE},
    "phone": {"viewport": PHONE},
    "dark": {"viewport": WIDE, "color_scheme": "dark"},
}
WHY = "The disk of the log was replaced at 21:40. The door list has 3,034 names, 3,031 votes are recorded."
SETTLED_MS = 350  # sockets are open and times are rewritten by then


def main(wanted: list[str]) -> None:
    """Take the pictures whose names begin with one of these; all when none is named."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    with (
        tempfile.TemporaryDirectory(prefix="vote-pictures-") as folder,
        _system(Path(folder)) as (pair, stack, settings),
    ):
        db = Database(settings.database("owner"), size=2, name="vote pictures")
        log = BallotLog(settings.log_url, settings.vote_shards, installation_of(settings))
        house = House(db, log, settings.log_url)
        house.furnish()
        with chromium() as browser:
            studio = _Studio(browser, stack, settings, house, wanted)
            for scene, act in [*((scene, None) for scene in house.scenes()), *_acted(house)]:
                studio.take(scene, act)
            house.accept("empty", "mara", "a")
            stack.freeze_worker()
            for person in house.people.values():
                stack.vote(house.ids["poster"], "b", create_jwt_token(person.id, secret=settings.jwt_secret))
            competitions.close_voting(db, log, house.ids["poster"], by=house.people["noor"])
            last = [
                Scene("accepted", f"/vote/{house.ids['empty']}", "mara"),
                Scene("results-closing", f"/results/{house.ids['poster']}"),
                Scene("dashboard-closing", f"/admin/competitions/{house.ids['poster']}", "noor"),
            ]
            for scene in last:
                studio.take(scene)
            stack.thaw_worker()
            pair.kill_database()
            studio.take(Scene("error-503", "/", "mara", 503))
        db.close()
        log.close()


class _Studio:
    def __init__(self, browser: Browser, stack: Stack, settings: Settings, house: House, wanted: list[str]) -> None:
        self._browser, self._stack, self._settings, self._house = browser, stack, settings, house
        self._wanted = wanted
        self._blank = browser.new_page()

    def take(self, scene: Scene, act: Callable[[Page], None] | None = None) -> None:
        """One scene in every kind, when it is wanted."""
        if self._wanted and not any(scene.name.startswith(name) for name in self._wanted):
            return
        for kind, how in KINDS.items():
            context = window(self._browser, self._stack.url, **how)
            if scene.who:
                log_in(context, self._stack.url, self._settings, self._house.people[scene.who].id)
            page = context.new_page()
            page.goto(scene.path)
            page.wait_for_timeout(SETTLED_MS)
            if act:
                act(page)
            picture = small(page.screenshot(full_page=True), self._blank)
            name = f"{scene.name}-{kind}"
            for folder in (FOLDER, SHOWN) if name in IN_README else (FOLDER,):
                (folder / f"{name}.png").write_bytes(picture)
            page.goto("about:blank")  # ends what is on its way, so that no ballot of a picture is cast after all
            page.unroute_all(behavior="ignoreErrors")
            context.close()
        print(scene.name, flush=True)


def _acted(house: House) -> Iterator[tuple[Scene, Callable[[Page], None]]]:
    """Scenes that somebody has to bring about."""
    stages = f"/vote/{house.ids['stages']}"
    yield Scene("vote-not-confirmed", f"{stages}?choice=a", "mara"), _press_while_down
    yield Scene("vote-sending", f"{stages}?choice=a", "mara"), _press_and_wait
    yield Scene("register-wrong", "/register"), _register_wrongly
    yield Scene("login-wrong", "/login"), _log_in_wrongly
    yield Scene("dashboard-new-wrong", "/admin/competitions/new", "noor"), _make_wrongly
    yield Scene("dashboard-waits-wrong", f"/admin/competitions/{house.ids['stalls']}", "olga"), _give_no_reason
    yield Scene("dashboard-finish", f"/admin/competitions/{house.ids['stalls']}", "olga"), _give_a_reason
    yield Scene("gaps-decide", "/admin/gaps", "olga"), _choose_gaps
    yield Scene("results-reconnecting", f"/results/{house.ids['stages']}"), _lose_connection
    yield Scene("recorded-change", f"/vote/{house.ids['poster']}", "mara"), lambda page: page.click("summary")


def _press_while_down(page: Page) -> None:
    page.route("**/vote/*", lambda route: _refuse(route) if route.request.method == "POST" else route.continue_())
    page.click("[data-vote-button]")
    page.wait_for_selector("[data-trouble]:not([hidden])")


def _refuse(route: Route) -> None:
    route.fulfill(status=503, headers={"Retry-After": "60"}, json={"status": 503})


def _press_and_wait(page: Page) -> None:
    page.route("**/vote/*", lambda route: None if route.request.method == "POST" else route.continue_())
    page.click("[data-vote-button]")
    page.wait_for_timeout(100)


def _register_wrongly(page: Page) -> None:
    page.fill("#username", "m")
    page.fill("#email", "mara at example")
    page.fill("#password", "short")
    page.fill("#confirm_password", "other")
    page.click("main button.primary")
    page.wait_for_selector("[aria-invalid]")


def _log_in_wrongly(page: Page) -> None:
    page.fill("#username", "mara")
    page.fill("#password", "not her password")
    page.click("main button.primary")
    page.wait_for_selector(".notice")


def _make_wrongly(page: Page) -> None:
    page.fill("#name", "Best dish of the night")
    page.fill("#option-a", "Dumplings")
    page.fill("#opens_at", "2020-01-31T18:00")
    page.fill("#closes_at", "2020-01-31T12:00")
    page.click("main button.primary")
    page.wait_for_selector("[aria-invalid]")


def _give_no_reason(page: Page) -> None:
    page.click("#waits ~ form button")
    page.wait_for_selector("[aria-invalid]")


def _give_a_reason(page: Page) -> None:
    page.fill("#reason", WHY)
    page.click("#waits ~ form button")
    page.wait_for_selector(".will")


def _choose_gaps(page: Page) -> None:
    for box in page.query_selector_all("[name=gap]"):
        box.check()
    page.fill("#reason", WHY)
    page.click("main form button")
    page.wait_for_selector(".will")


def _lose_connection(page: Page) -> None:
    page.route_web_socket("**/live/*", lambda socket: socket.close())
    page.route("**/api/competitions/**", lambda route: route.abort())
    page.reload()
    page.wait_for_selector('[data-when="lost"]:not([hidden])')


@contextlib.contextmanager
def _system(folder: Path) -> Iterator[tuple[Pair, Stack, Settings]]:
    pair = start_pair("embedded", folder / "servers", durable=True)
    try:
        migrate.upgrade(pair.owner_url)
        environment = {
            "FLASK_SECRET_KEY": "flask-secret-of-the-pictures-0123456789",
            "JWT_SECRET": "jwt-secret-of-the-pictures-0123456789abc",
            "DATABASE_URL": pair.owner_url,
            "REDIS_URL": pair.redis_url,
            "VOTE_HOME": str(folder / "home"),
            "WEB_CONCURRENCY": "1",
            "PATH": os.environ["PATH"],
        }
        with running(environment, folder / "stack") as stack:
            yield pair, stack, config.load(environment)
    finally:
        pair.stop()


if __name__ == "__main__":
    main(sys.argv[1:])
