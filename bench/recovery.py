"""`python -m bench.recovery`: how soon a results page in a real browser moves again after the web was away and is back.

The clock runs from the first answer of the new web, to `/health`, which is before it says that it is ready, to the moment at
which the page says again that it is live. Exit code 1 over the goal.
"""

import sys
import time
import urllib.request
from concurrent.futures import Future, ThreadPoolExecutor

from playwright.sync_api import Page

from bench.ground import Ground, prepared
from bench.parts import front_door, worker
from bench.voters import HOST
from tests.browser.chromium import chromium

OUTAGES_S = (0.0, 1.0, 2.0, 5.0, 10.0, 20.0, 40.0)  # each and what a start takes
GOAL_S = 3.0
LOOK_S = 0.01
LIVE, LOST = "[data-when=live]", "[data-when=lost]"
REMEMBER = f"""
    const live = document.querySelector("{LIVE}");
    const look = () => {{ if (!live.hidden) window.liveAt = Date.now() / 1000; }};
    new MutationObserver(look).observe(live, {{ attributes: true }});
"""


def main() -> int:
    """One run: short and long outages."""
    with prepared(1, shared_competitions=1) as (ground, (competition,)), worker(ground), chromium() as browser:
        page = browser.new_page()
        with front_door(ground) as server:
            page.goto(f"http://{HOST}:{server.port}/results/{competition}")
            page.locator(LIVE).wait_for()
            page.evaluate(REMEMBER)
        took = [_outage(ground, page, server.port, away_s) for away_s in OUTAGES_S]
    print(f"the longest: {max(took):.2f} s (goal < {GOAL_S:g})")
    return 0 if max(took) < GOAL_S else 1


def _outage(ground: Ground, page: Page, port: int, away_s: float) -> float:
    """Called while the web is away. Returns the seconds until the page was live again, and leaves the web away."""
    page.locator(LOST).wait_for()
    page.wait_for_timeout(1000 * away_s)
    with ThreadPoolExecutor(1) as pool:
        back: Future[float] = pool.submit(_first_answer, port)
        with front_door(ground, {"PORT": str(port)}):
            page.locator(LIVE).wait_for()
            took = float(page.evaluate("window.liveAt")) - back.result()
    print(f"away {away_s:g} s and a start: live again {took:.2f} s after the return")
    return took


def _first_answer(port: int) -> float:
    while True:
        try:
            urllib.request.urlopen(f"http://{HOST}:{port}/health", timeout=10).close()
            return time.time()
        except OSError:
            time.sleep(LOOK_S)


if __name__ == "__main__":
    sys.exit(main())
