"""`python -m bench.ceiling`: votes beside votes without a single check (`log_alone.py`), and beside the bare app.

Says how much of what is missing to the bare app the checks could give at most, and what the server and the ballot log take.
"""

import argparse
import contextlib
import multiprocessing
import sys
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from statistics import median

from bench import recording
from bench.acceptance import Generator, Sample
from bench.ground import Ground, prepared
from bench.parts import Server, bare_app, front_door

VOTERS_PER_SECOND = 25_000
BARE, ALONE, VOTES = "bare ASGI app", "server and log alone", "votes, Bearer token"


def main() -> int:
    """Measure in turns, print a table."""
    parser = argparse.ArgumentParser(prog="python -m bench.ceiling", description=__doc__)
    parser.add_argument("--seconds", type=float, default=4, help="how long each measurement takes (default: 4)")
    parser.add_argument("--rounds", type=int, default=3, help="how often everything is measured (default: 3)")
    parser.add_argument("--connections", type=int, default=256, help="keep-alive connections (default: 256)")
    options = parser.parse_args()
    each = round(VOTERS_PER_SECOND * options.seconds)
    with (
        prepared(each * options.rounds, shared_competitions=1) as (ground, _),
        ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool,
        _servers(ground) as servers,
    ):
        generator = Generator(pool, options.connections, options.seconds, ground.crowd.parts(each))
        samples: dict[str, list[Sample]] = {name: [] for name in servers}
        for number in range(options.rounds):
            for name in servers if number % 2 == 0 else reversed(servers):
                competition = ground.new_competition()
                _, sample = generator.send(ground, servers[name], competition, again=name != VOTES)
                samples[name].append(sample)
    _print(samples)
    return 0


@contextlib.contextmanager
def _servers(ground: Ground) -> Iterator[dict[str, Server]]:
    recording.make_ready(ground)
    with bare_app(ground) as bare, bare_app(ground, "bench.log_alone:app") as alone, front_door(ground) as votes:
        with_log = Server(alone.port, (*alone.pids, ground.pair.log_pid))
        yield {BARE: bare, ALONE: with_log, VOTES: votes}


def _print(samples: dict[str, list[Sample]]) -> None:
    print("| what | per second | of the bare app | p99 ms | server µs | load µs | statuses |")
    print("|---|---:|---:|---:|---:|---:|---|")
    for name, own in samples.items():
        ratio = median(a.per_second / b.per_second for a, b in zip(own, samples[BARE], strict=True))
        rate, p99, server, load = (
            median(getattr(one, field) for one in own) for field in ("per_second", "p99_ms", "server_us", "load_us")
        )
        statuses = sorted({status for one in own for status in one.statuses})
        print(f"| {name} | {rate:,.0f} | {ratio:.2f} | {p99:.0f} | {server:.0f} | {load:.0f} | {statuses} |")


if __name__ == "__main__":
    sys.exit(main())
