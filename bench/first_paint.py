"""`python -m bench.first_paint`: the vote page on a slow phone, in headless Chromium with network and processor throttled.

The profile is Lighthouse's mobile one: 150 ms round trips, 1.6 Mbit/s down, 0.75 up, a processor four times slower.
Each visit begins with an empty cache. Prints bytes on the wire and the first contentful paint. Exit code 1 over a goal.
"""

import statistics
import sys

from playwright.sync_api import Browser

from bench.ground import prepared
from bench.parts import front_door, worker
from tests.browser.chromium import PHONE, chromium

VISITS = 7
SLOW = {"offline": False, "latency": 150, "downloadThroughput": 1_600_000 / 8, "uploadThroughput": 750_000 / 8}
SLOWER_PROCESSOR = 4
GOAL_BYTES, GOAL_MS = 100_000, 1_000
PAINT = "performance.getEntriesByName('first-contentful-paint')[0]?.startTime ?? 0"


def main() -> int:
    """One run."""
    with prepared(1, shared_competitions=1) as (ground, competitions), worker(ground), front_door(ground) as server:
        url = f"http://127.0.0.1:{server.port}/vote/{competitions[0]}"
        with chromium() as browser:
            visits = [_visit(browser, url) for _ in range(VISITS)]
    size = max(size for size, _ in visits)
    paints = sorted(paint for _, paint in visits)
    print(f"vote page: {size:,.0f} bytes on the wire (goal < {GOAL_BYTES:,})")
    print(f"first contentful paint: median {statistics.median(paints):,.0f} ms (goal < {GOAL_MS:,}), all {paints}")
    return 0 if size < GOAL_BYTES and statistics.median(paints) < GOAL_MS else 1


def _visit(browser: Browser, url: str) -> tuple[float, float]:
    context = browser.new_context(viewport={"width": PHONE["width"], "height": PHONE["height"]}, device_scale_factor=3)
    page = context.new_page()
    sizes: list[float] = []
    tools = context.new_cdp_session(page)
    tools.send("Network.enable")
    tools.on("Network.loadingFinished", lambda event: sizes.append(event["encodedDataLength"]))
    tools.send("Network.emulateNetworkConditions", SLOW)
    tools.send("Emulation.setCPUThrottlingRate", {"rate": SLOWER_PROCESSOR})
    page.goto(url)
    page.wait_for_load_state("networkidle")
    painted = float(page.evaluate(PAINT))
    context.close()
    return sum(sizes), round(painted)


if __name__ == "__main__":
    sys.exit(main())
