"""`python -m bench`: measure everything side by side, print the table, write results.json.

The exit code is 0 whether or not goals are met, and 1 when a vote was lost, counted twice or counted wrongly.
"""

import argparse
import multiprocessing
import sys
from concurrent.futures import ProcessPoolExecutor

from bench import acceptance, machine, pgbench, recording, report, together
from bench.acceptance import Generator
from bench.check import Acknowledged
from bench.ground import WEB_PROCESSES, Ground, prepared
from bench.parts import worker
from bench.progress import Progress

VOTERS_PER_SECOND = 25_000  # a measurement ends early when its voters run out
VOTES_PER_ROUND = 4  # measurements with votes: by token, by session, together with recording by one worker and by two
BALLOTS_PER_ROUND = 24_000  # in the log that the worker drains


def main() -> int:
    """One run."""
    options = _options()
    progress = Progress()
    progress.note("starting durable servers, making voters")
    voters = round(VOTERS_PER_SECOND * options.seconds) * VOTES_PER_ROUND * options.rounds
    with prepared(voters, shared_competitions=options.rounds) as (ground, shared):
        run = _measure(ground, shared, options, progress)
    report.write(run)
    progress.note("done")
    print(report.text(run))
    return 0 if run.verdict.holds else 1


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--seconds", type=float, default=4, help="how long each measurement takes (default: 4)")
    parser.add_argument("--connections", type=int, default=256, help="keep-alive connections (default: 256)")
    parser.add_argument("--rounds", type=int, default=3, help="how often everything is measured (default: 3)")
    options = parser.parse_args()
    if options.seconds < 1 or options.connections < 1 or options.rounds < 1:
        parser.error("at least one second, one connection and one round")
    return options


def _measure(ground: Ground, shared: list[int], options: argparse.Namespace, progress: Progress) -> report.Run:
    told = Acknowledged()
    described = machine.describe(ground)
    pgbench.prepare(ground)
    recording.make_ready(ground)
    recorded = recording.measure(ground, shared, min(BALLOTS_PER_ROUND, ground.crowd.size), told, progress)
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        crowds = ground.crowd.parts(round(VOTERS_PER_SECOND * options.seconds))
        generator = Generator(pool, options.connections, options.seconds, crowds)
        before = told.total
        accepted = acceptance.measure(ground, generator, options.rounds, told, progress)
        with worker(ground) as one:
            one.wait_recorded(told.total - before)
        both = together.measure(ground, generator, options.rounds, told, progress)
    progress.note("comparing what was told with what is counted")
    how = {
        "seconds": options.seconds,
        "connections": options.connections,
        "rounds": options.rounds,
        "voters": ground.crowd.size,
        "web_processes": WEB_PROCESSES,
        "shards": ground.settings.vote_shards,
        "bodies": "a third each multipart, urlencoded, JSON",
    }
    return report.Run(described, how, recorded, accepted, both, told.check(ground))


if __name__ == "__main__":
    sys.exit(main())
