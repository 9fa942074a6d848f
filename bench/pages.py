"""`python -m bench.pages`: how many pages a second, side by side with a bare Flask page on the same server.

The vote page is loaded by strangers as the checklist's `siege` line does it, and by voters who are logged in, as browsers
do: with a session and taking Brotli. Rounds take turns, every second one in the other order; ratios are medians.
"""

import argparse
import statistics
import sys

from bench import load
from bench.figures import median_ratio
from bench.ground import Ground, prepared
from bench.load import Job
from bench.parts import Server, bare_app, front_door, worker
from bench.processes import cpu_seconds
from bench.progress import Progress
from bench.voters import HOST, browsing
from vote.web.assets import assets

VOTERS = 2_000
GOAL = 1_000  # vote pages a second on two cores
Rates = dict[str, list[tuple[float, float]]]


def main() -> int:
    """One run: rates, ratios, processor time per page. Exit code 1 when the vote page misses its goal."""
    options = _options()
    progress = Progress()
    with (
        prepared(VOTERS, shared_competitions=1) as (ground, competitions),
        worker(ground),
        front_door(ground) as ours,
        bare_app(ground, "bench.bare_page:app") as theirs,
    ):
        rates = _measure(ground, ours, theirs, competitions[0], options, progress)
    bare = [rate for rate, _ in rates["bare Flask page"]]
    for what, figures in rates.items():
        each = [rate for rate, _ in figures]
        cpu = statistics.median(us for _, us in figures)
        ratio = f"{median_ratio(each, bare):.2f} of a bare Flask page"
        print(f"{what:34}{statistics.median(each):>9,.0f} /s  {ratio:28}{cpu:>7,.0f} µs of the server's processors")
    return 0 if statistics.median(rate for rate, _ in rates["vote page, stranger"]) >= GOAL else 1


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench.pages", description=__doc__)
    parser.add_argument("--seconds", type=float, default=4, help="how long each measurement takes (default: 4)")
    parser.add_argument("--connections", type=int, default=64, help="keep-alive connections (default: 64)")
    parser.add_argument("--rounds", type=int, default=3, help="how often everything is measured (default: 3)")
    return parser.parse_args()


def _measure(
    ground: Ground, ours: Server, theirs: Server, competition: int, options: argparse.Namespace, progress: Progress
) -> Rates:
    vote, css = f"/vote/{competition}", assets()["vote.css"].path
    voters = browsing(ground.crowd, vote)
    asked: dict[str, tuple[Server, list[bytes]]] = {
        "bare Flask page": (theirs, [_get("/")]),
        "vote page, stranger": (ours, [_get(vote)]),
        "vote page, logged in": (ours, voters),
        "list of competitions, stranger": (ours, [_get("/")]),
        "results, stranger": (ours, [_get(f"/results/{competition}")]),
        "stylesheet": (ours, [_get(css)]),
    }
    rates: Rates = {what: [] for what in asked}
    for number in range(options.rounds):
        names = list(asked) if number % 2 == 0 else list(reversed(asked))
        for what in names:
            rates[what].append(_rate(ground, *asked[what], competition, options))
            progress(what, rates[what][-1][0])
    return rates


def _rate(
    ground: Ground, server: Server, requests: list[bytes], competition: int, options: argparse.Namespace
) -> tuple[float, float]:
    job = Job(server.port, competition, ground.crowd, "session", options.connections, options.seconds, again=True)
    before = cpu_seconds(*server.pids)
    answers = load.send(job, requests)
    if set(answers.statuses()) != {200}:
        raise SystemExit(f"answers that are no page: {answers.statuses()}")
    return answers.per_second, 1e6 * (cpu_seconds(*server.pids) - before) / len(answers.done)


def _get(path: str) -> bytes:
    return f"GET {path} HTTP/1.1\r\nHost: {HOST}\r\nAccept: text/html\r\nAccept-Encoding: br, gzip\r\n\r\n".encode(
        "ascii"
    )


if __name__ == "__main__":
    sys.exit(main())
