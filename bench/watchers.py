"""`python -m bench.watchers`: thousands of people watch one result while votes stream in, on one machine.

One `vote web` takes the votes, another one holds the sockets, one worker records; the watchers are real connections of one
process. Printed for each rate of votes: how long from sending a vote until a watcher is shown it, over all watchers; what a
snapshot costs the processes that send it; what a watcher costs in memory. Exit code 1 when a goal of the design is missed.
"""

import argparse
import bisect
import itertools
import multiprocessing
import resource
import sys
import time
from collections import defaultdict
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from multiprocessing.connection import Connection
from operator import itemgetter
from typing import NamedTuple, cast

from bench import stream
from bench.figures import percentile
from bench.ground import Ground, prepared
from bench.parts import Batch, Server, Worker, front_door, worker
from bench.processes import cpu_seconds, memory_bytes
from bench.progress import Progress
from bench.recording import make_ready
from bench.stream import AcknowledgedVote, Stream
from bench.watching import Crew, Report, Seen, watch

CONNECT_WITHIN_S = 120.0
SETTLE_S = 2.0  # until the last snapshot of a rate is on every screen
VOTES_LOOKED_AT = 300  # of each rate, evenly spread; each at every watcher
GOAL_MS = 500.0
GOAL_RATIO = 1.2


class Recorded(NamedTuple):
    """When a vote was committed, and the total from which on a snapshot holds it."""

    at: float
    total: int


class Figures(NamedTuple):
    """One rate of votes. `snapshots`: as many as each watcher was sent. CPU is of the processes with the sockets."""

    per_second: float
    accepted: int
    snapshots: float
    snapshots_per_s: float
    recorded_p99_ms: float
    p50_ms: float
    p99_ms: float
    missed: int
    cpu_s: float
    live_core: float
    watch_core: float


def main() -> int:
    """One run."""
    options, progress = _options(), Progress()
    _allow_connections(options.watchers)
    voters = sum(round(rate * options.seconds) for rate in options.votes_per_second)
    with prepared(voters, shared_competitions=1) as (ground, (competition,)):
        many = {"LIMIT_SOCKETS_PER_NETWORK": str(10 * options.watchers)}
        make_ready(ground)
        with worker(ground) as one, front_door(ground, processes=1) as door, front_door(ground, many) as live:
            before = memory_bytes(*live.pids[:1])
            with _crew(Crew(live.port, competition, options.watchers)) as orders:
                progress.note(f"{options.watchers:,} watch")
                time.sleep(SETTLE_S)
                each = (memory_bytes(*live.pids[:1]) - before) / options.watchers
                figures = list(_rates(ground, one, door, live, competition, orders, options, progress))
                after = (memory_bytes(*live.pids[:1]) - before) / options.watchers
    return _tell(figures, each, after, options.watchers)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench.watchers", description=__doc__)
    parser.add_argument("--watchers", type=int, default=5_000, help="open sockets (default: 5000)")
    parser.add_argument(
        "--votes-per-second", type=float, nargs="+", default=[0, 10, 50, 500], help="one after the other"
    )
    parser.add_argument("--seconds", type=float, default=10, help="how long each rate lasts (default: 10)")
    return parser.parse_args()


def _allow_connections(watchers: int) -> None:
    """Processes that are started later inherit it."""
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    if hard != resource.RLIM_INFINITY and hard < watchers + 500:
        raise SystemExit(f"{watchers:,} watchers need {watchers + 500:,} file descriptors; `ulimit -Hn` is {hard:,}")
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


@contextmanager
def _crew(crew: Crew) -> Iterator[Connection]:
    ours, theirs = multiprocessing.get_context("spawn").Pipe()
    process = multiprocessing.get_context("spawn").Process(target=watch, args=(crew, theirs), daemon=True)
    process.start()
    theirs.close()  # so that its end is noticed
    try:
        if not ours.poll(CONNECT_WITHIN_S) or ours.recv() != "ready":
            raise TimeoutError("the watchers could not connect")
        yield ours
        ours.send("end")
        process.join(CONNECT_WITHIN_S)
    finally:
        process.kill()


def _rates(
    ground: Ground,
    recorder: Worker,
    door: Server,
    live: Server,
    competition: int,
    orders: Connection,
    options: argparse.Namespace,
    progress: Progress,
) -> Iterator[Figures]:
    first, recorded = ground.crowd.first, 0
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        for rate in options.votes_per_second:
            size = round(rate * options.seconds)
            crowd = ground.crowd._replace(first=first, size=size)
            _ask(orders)  # what was seen before counts for nobody
            began, cpu = time.monotonic(), cpu_seconds(live.pids[0])
            told = _vote(pool, Stream(door.port, competition, crowd, rate), options.seconds)
            recorded, first = recorded + size, first + size
            recorder.wait_recorded(recorded)
            time.sleep(SETTLE_S)
            cpu, took = cpu_seconds(live.pids[0]) - cpu, time.monotonic() - began
            report = _ask(orders)
            if report.watching != options.watchers:
                raise SystemExit(f"only {report.watching} of {options.watchers} still watch")
            places = _recorded(ground, competition, recorder.batches())
            waits, missed = _waits(told, places, report.seen)
            snapshots = sum(len(seen.at) for seen in report.seen) / options.watchers
            yield Figures(
                rate,
                len(told),
                snapshots,
                snapshots / (took - SETTLE_S),
                1000 * percentile([places[vote.voter].at - vote.due for vote in told], 0.99),
                1000 * percentile(waits, 0.50),
                1000 * percentile(waits, 0.99),
                missed,
                cpu,
                cpu / took,
                report.core,
            )
            progress.note(f"{rate:g} votes a second: {1000 * percentile(waits, 0.99):,.0f} ms")


def _ask(orders: Connection) -> Report:
    orders.send("report")
    return cast(Report, orders.recv())


def _vote(pool: ProcessPoolExecutor, votes: Stream, seconds: float) -> list[AcknowledgedVote]:
    if votes.crowd.size:
        return pool.submit(stream.send, votes).result()
    time.sleep(seconds)
    return []


def _recorded(ground: Ground, competition: int, batches: list[Batch]) -> dict[int, Recorded]:
    """What of each voter? One worker commits batch by batch, so the total after a batch says what a snapshot holds."""
    ends: dict[int, list[tuple[int, Recorded]]] = defaultdict(list)
    for batch, total in zip(batches, itertools.accumulate(batch.ballots for batch in batches), strict=True):
        ends[batch.shard].append((batch.upto, Recorded(batch.at, total)))
    query = "SELECT user_id, shard, position FROM ballots WHERE competition_id = %s"
    with ground.owner.read() as tx:
        places = tx.execute(query, (competition,)).fetchall()
    return {
        voter: ends[shard][bisect.bisect_left(ends[shard], at, key=itemgetter(0))][1] for voter, shard, at in places
    }


def _waits(told: list[AcknowledgedVote], recorded: dict[int, Recorded], seen: list[Seen]) -> tuple[list[float], int]:
    """Seconds from sending a vote to the first frame that holds it, for some votes at every watcher; how many never came."""
    some = told[:: max(1, len(told) // VOTES_LOOKED_AT)]
    waits, missed = [], 0
    for one in seen:
        for vote in some:
            place = bisect.bisect_left(one.totals, recorded[vote.voter].total)
            if place == len(one.totals):
                missed += 1
            else:
                waits.append(one.at[place] - vote.due)
    return waits, missed


def _tell(figures: list[Figures], each: float, after: float, watchers: int) -> int:
    rest = next((one.cpu_s for one in figures if not one.per_second), 0.0)
    moving = [one for one in figures if one.per_second]
    costs = [1000 * (one.cpu_s - rest) / one.snapshots for one in moving]
    print(
        "| votes/s | snapshots/s | to recorded p99 | to screen p50 | p99 | a snapshot to all, CPU | server | watchers |"
    )
    print("|---:|---:|---:|---:|---:|---:|---:|---:|")
    for one, cost in zip(moving, costs, strict=True):
        times = f"{one.recorded_p99_ms:,.0f} ms | {one.p50_ms:,.0f} ms | {one.p99_ms:,.0f} ms"
        cores = f"{one.live_core:.0%} | {one.watch_core:.0%}"
        print(f"| {one.per_second:g} | {one.snapshots_per_s:.1f} | {times} | {cost:,.0f} ms | {cores} |")
    ratio = costs[-1] / costs[0] if len(costs) > 1 else 1.0
    print(f"\n{watchers:,} watch; memory of each {each / 1024:.1f} KiB at first, {after / 1024:.1f} KiB at the end")
    print(f"CPU of a snapshot at the highest rate ÷ at the lowest: {ratio:.2f}")
    print(f"votes that somebody was never shown: {sum(one.missed for one in figures)}")
    is_late = any(one.p99_ms > GOAL_MS or one.missed for one in figures)
    return 1 if is_late or ratio > GOAL_RATIO else 0


if __name__ == "__main__":
    sys.exit(main())
