"""`python -m bench.login_flood`: what votes wait while nobody logs in, and in a flood of log-ins.

More people log in at every moment than passwords can be checked, and whoever is refused tries again at once.
Votes come at a fixed rate, each at its own time. Rounds take turns, every second one in the other order; ratios are medians.
Exit code 1 when the median of votes grows beyond the goal, or nobody was let try a password meanwhile.
"""

import argparse
import multiprocessing
import statistics
import sys
import time
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from typing import NamedTuple
from urllib.parse import urlencode

from bench import load, recording, stream
from bench.figures import median_ratio, percentile
from bench.ground import Ground, prepared
from bench.load import Answers, Job
from bench.parts import Server, front_door, worker
from bench.progress import Progress
from bench.stream import Stream
from bench.voters import HOST

GOAL = 1.5  # the median of a vote during the flood, as a multiple of the one without
RISING_S = 0.5  # until every place before the hasher is taken
WARM_UP_S = 1.0
GUESSES = 5_000  # requests that are made for a turn of the flood; each name is tried once in a turn
NO_LIMIT = {"LIMIT_LOGIN_FAILURES_PER_MINUTE": "1000000"}  # the flood comes from one network here
TRIED = 401  # a password that was looked at, and is wrong


class Turn(NamedTuple):
    """What votes waited in one turn, in milliseconds, and what the flood was told."""

    p50_ms: float
    p99_ms: float
    flood: dict[int, int]


def main() -> int:
    """One run: both kinds of turns, their medians and ratios."""
    options = _options()
    voters = round(options.rate * (2 * options.rounds * options.seconds + WARM_UP_S))
    with (
        prepared(max(voters, GUESSES), shared_competitions=1) as (ground, _),
        worker(ground),
        front_door(ground, NO_LIMIT) as server,
        ProcessPoolExecutor(2, mp_context=multiprocessing.get_context("spawn")) as pool,
    ):
        recording.make_ready(ground)
        calm, flooded = _measure(ground, server, pool, options, Progress())
    told: Counter[int] = sum((Counter(turn.flood) for turn in flooded), Counter())
    _print("votes alone", calm)
    _print("votes in a flood of log-ins", flooded)
    ratio = median_ratio([turn.p50_ms for turn in flooded], [turn.p50_ms for turn in calm])
    tail = median_ratio([turn.p99_ms for turn in flooded], [turn.p99_ms for turn in calm])
    print(f"ratio of the medians {ratio:.2f} (goal: at most {GOAL:g}), of p99 {tail:.2f}")
    looked_at = told[TRIED] / ((options.seconds + RISING_S) * options.rounds)
    print(f"passwords looked at: {looked_at:.1f} a second; the flood was told {dict(told)}")
    return 0 if ratio <= GOAL and told[TRIED] else 1


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench.login_flood", description=__doc__)
    parser.add_argument("--seconds", type=float, default=5, help="how long each turn takes (default: 5)")
    parser.add_argument("--rounds", type=int, default=3, help="how often both are measured (default: 3)")
    parser.add_argument("--rate", type=float, default=500, help="votes a second (default: 500)")
    parser.add_argument("--people", type=int, default=64, help="people who log in at every moment (default: 64)")
    return parser.parse_args()


def _measure(
    ground: Ground, server: Server, pool: ProcessPoolExecutor, options: argparse.Namespace, progress: Progress
) -> tuple[list[Turn], list[Turn]]:
    warm_up = round(options.rate * WARM_UP_S)
    crowds = ground.crowd._replace(first=ground.crowd.first + warm_up).parts(round(options.rate * options.seconds))
    competition = ground.new_competition()
    first = ground.crowd._replace(size=warm_up)
    pool.submit(stream.send, Stream(server.port, competition, first, options.rate)).result()
    turns: dict[bool, list[Turn]] = {False: [], True: []}
    for number in range(options.rounds):
        for is_flooded in (False, True) if number % 2 == 0 else (True, False):
            votes = Stream(server.port, competition, next(crowds), options.rate)
            turn = _turn(ground, pool, votes, options, is_flooded=is_flooded)
            turns[is_flooded].append(turn)
            progress.note(f"{'flood' if is_flooded else 'calm':6} p50 {turn.p50_ms:.2f} ms, p99 {turn.p99_ms:.1f} ms")
    return turns[False], turns[True]


def _turn(
    ground: Ground, pool: ProcessPoolExecutor, votes: Stream, options: argparse.Namespace, *, is_flooded: bool
) -> Turn:
    flood = None
    if is_flooded:
        job = Job(votes.port, votes.competition, ground.crowd, "bearer", options.people, options.seconds + RISING_S)
        flood = pool.submit(load.send, job, _guesses())
        time.sleep(RISING_S)
    told = pool.submit(stream.send, votes).result()
    waits = [1000 * (one.accepted - one.due) for one in told]
    return Turn(percentile(waits, 0.50), percentile(waits, 0.99), {} if flood is None else _told(flood.result()))


def _told(flood: Answers) -> dict[int, int]:
    in_time = zip(flood.status, flood.done, strict=True)
    return dict(Counter(status for status, done in in_time if done <= flood.ended))


def _guesses() -> list[bytes]:
    made = []
    for number in range(1, GUESSES + 1):
        body = urlencode({"username": f"voter-{number}", "password": "not the one"})
        head = (
            f"POST /login HTTP/1.1\r\nHost: {HOST}\r\nUser-Agent: bench\r\nAccept: application/json\r\n"
            f"Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {len(body)}\r\n\r\n"
        )
        made.append((head + body).encode("ascii"))
    return made


def _print(what: str, turns: list[Turn]) -> None:
    p50, p99 = (statistics.median(getattr(turn, name) for turn in turns) for name in ("p50_ms", "p99_ms"))
    print(f"{what:30} median {p50:6.2f} ms   p99 {p99:7.2f} ms")


if __name__ == "__main__":
    sys.exit(main())
