"""`python -m bench.growth`: what a vote, a result and the admins' lists cost among 10^3, 10^5 and more votes.

A database per size on one server, each with its own web process and worker; measurements take turns, every second round in
the other order. Ratios are the median of each round's ratio to the smallest size. The exit code is 1 when the median of a
vote or of a result is more than 1.2 times that, or when a tally is wrong.
"""

import argparse
import sys
from collections import defaultdict
from collections.abc import Callable
from contextlib import ExitStack
from functools import partial
from statistics import median
from typing import NamedTuple

from bench import load
from bench.figures import median_ratio, percentile
from bench.filling import grown
from bench.ground import Ground, prepared
from bench.load import Answers, Job
from bench.parts import Server, Worker, front_door, worker
from bench.progress import Progress
from bench.voters import Crowd, browsing, requests
from vote.db import integrity
from vote.db.pool import Database

SIZES = (1_000, 100_000, 1_000_000)
GOAL = 1.2
HELD = ("a vote", "results")  # what the goal is about
VOTE_CONNECTIONS = 4  # few: latency, not throughput
VOTES_PER_SECOND = 2_500


class Place(NamedTuple):
    """One size, running."""

    votes: int
    ground: Ground
    server: Server
    worker: Worker


Figures = dict[str, dict[int, list[tuple[float, float]]]]  # what → size → (median, p99) in ms of each round


def main() -> int:
    """One run."""
    options, progress = _options(), Progress()
    voters = round(VOTES_PER_SECOND * options.seconds * options.rounds)
    with prepared(voters, shared_competitions=1) as (ground, (competition,)), ExitStack() as stack:
        ground.owner.close()  # a database that is copied must have no other connection
        places = []
        for number, votes in enumerate(options.votes, 1):
            progress.note(f"filling a database with {votes:,} votes")
            places.append(_start(stack, grown(ground, votes, number), votes))
        figures = _measure(places, competition, options, progress)
        wrong = {place.votes: _wrong_tallies(place.ground) for place in places}
    print(_table(figures, options.votes))
    print(f"\nwrong tallies: {sum(wrong.values())}")
    return 1 if sum(wrong.values()) or any(_ratio(figures[what], options.votes, 0) > GOAL for what in HELD) else 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench.growth", description=__doc__)
    parser.add_argument(
        "--votes", type=int, nargs="+", default=SIZES, help="sizes, each a multiple of ten (10^7: ten minutes)"
    )
    parser.add_argument("--seconds", type=float, default=1, help="how long each measurement takes (default: 1)")
    parser.add_argument("--rounds", type=int, default=7, help="how often everything is measured (default: 7)")
    options = parser.parse_args()
    if any(votes < 100 or votes % 10 for votes in options.votes):
        parser.error("at least a hundred votes, and a multiple of ten")
    return options


def _start(stack: ExitStack, ground: Ground, votes: int) -> Place:
    own = stack.enter_context(worker(ground))
    return Place(votes, ground, stack.enter_context(front_door(ground)), own)


def _measure(places: list[Place], competition: int, options: argparse.Namespace, progress: Progress) -> Figures:
    figures: Figures = defaultdict(lambda: defaultdict(list))
    for number in range(options.rounds):
        asked = {place.votes: _asked(place, competition, number, options) for place in places}
        told = {place.votes: len(place.worker.batches()) for place in places}
        for turn, what in enumerate(asked[places[0].votes]):
            for place in places if (number + turn) % 2 == 0 else reversed(places):
                answers = asked[place.votes][what]()
                figures[what][place.votes].append((answers.latency_ms(0.50), answers.latency_ms(0.99)))
        for place in places:
            each = [1000 * batch.seconds / batch.ballots for batch in place.worker.batches()[told[place.votes] :]]
            figures["recording, per ballot"][place.votes].append((percentile(each, 0.50), percentile(each, 0.99)))
        progress.note(f"round {number + 1} of {options.rounds}")
    return figures


def _asked(
    place: Place, competition: int, number: int, options: argparse.Namespace
) -> dict[str, Callable[[], Answers]]:
    """What is asked in a round. Each round has voters of its own, and the first of them takes the data away."""
    crowd, admin = place.ground.crowd, place.ground.organiser.id
    size = crowd.size // options.rounds
    voters = crowd._replace(first=crowd.first + number * size, size=size)
    middle = f"person-{place.votes // 20}"  # of the names
    pages = {
        "results": (None, f"/api/competitions/{competition}/results"),
        "people, first page": (admin, "/admin/people"),
        "people, from the middle": (admin, f"/admin/people?after={middle}"),
        "people, search": (admin, f"/admin/people?search={middle}"),
        "a person with audit list": (admin, f"/admin/people/{crowd.first}"),
        "competitions": (admin, "/admin"),
        "a competition with audit list": (admin, f"/admin/competitions/{competition}"),
        "own data": (voters.first, "/api/me/export"),
    }

    def vote() -> Answers:
        return _send(place, voters, requests(voters, "bearer", competition), options.seconds, is_vote=True)

    def page(who: int | None, path: str) -> Answers:
        made = _get(path) if who is None else browsing(crowd._replace(first=who, size=1), path)
        return _send(place, crowd, made, options.seconds)

    return {"a vote": vote} | {what: partial(page, *asked) for what, asked in pages.items()}


def _send(place: Place, crowd: Crowd, made: list[bytes], seconds: float, *, is_vote: bool = False) -> Answers:
    connections = VOTE_CONNECTIONS if is_vote else 1
    answers = load.send(Job(place.server.port, 0, crowd, "bearer", connections, seconds, again=not is_vote), made)
    if set(answers.statuses()) - {202 if is_vote else 200}:
        raise SystemExit(f"answers that were not expected: {answers.statuses()} to {made[0][:60]!r}")
    return answers


def _get(path: str) -> list[bytes]:
    return [f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nAccept: application/json\r\n\r\n".encode("ascii")]


def _wrong_tallies(ground: Ground) -> int:
    owner = Database(ground.settings.database("owner"), size=1, name="vote bench")
    try:
        with integrity.snapshot(owner) as tx:
            return len(integrity.wrong_tallies(tx))
    finally:
        owner.close()


def _ratio(sizes: dict[int, list[tuple[float, float]]], votes: list[int], which: int) -> float:
    """The worst ratio of any size to the smallest."""
    first = [one[which] for one in sizes[votes[0]]]
    return max(median_ratio([one[which] for one in sizes[size]], first) for size in votes)


def _table(figures: Figures, votes: list[int]) -> str:
    lines = [
        "| ms: median, p99 | "
        + " | ".join(f"{size:,} votes" for size in votes)
        + " | median ÷ smallest | p99 ÷ smallest |",
        "|---|" + "---:|" * (len(votes) + 2),
    ]
    for what, sizes in figures.items():
        cells = [" , ".join(f"{median(one[k] for one in sizes[size]):.2f}" for k in (0, 1)) for size in votes]
        ratios = [f"{_ratio(sizes, votes, k):.2f}" for k in (0, 1)]
        lines.append(f"| {what} | " + " | ".join(cell.replace(" ,", ",") for cell in (*cells, *ratios)) + " |")
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
