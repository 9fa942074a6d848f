"""`python -m bench.ceiling`: votes beside votes without a single check (`log_alone.py`), and beside the bare app.

Says how much of what is missing to the bare app the checks could give at most, and what the server and the ballot log take.
"""

import contextlib
import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager
from statistics import median

from bench import contest
from bench.contest import Contestant
from bench.ground import Ground
from bench.parts import Server, bare_app, front_door


def main() -> int:
    """Measure in turns, print a table."""
    _print(contest.run("python -m bench.ceiling", __doc__, _all, voting=1))
    return 0


def _all(ground: Ground) -> Iterator[AbstractContextManager[Contestant]]:
    yield contest.named("bare ASGI app", bare_app(ground), is_bare=True)
    yield contest.named("server and log alone", _log_alone(ground), is_bare=True)
    yield contest.named("votes, Bearer token", front_door(ground), is_bare=False)


@contextlib.contextmanager
def _log_alone(ground: Ground) -> Iterator[Server]:
    with bare_app(ground, "bench.log_alone:app") as one:
        yield Server(one.port, (*one.pids, ground.pair.log_pid))


def _print(contestants: list[Contestant]) -> None:
    print("| what | per second | of the bare app | p99 ms | server µs | load µs | statuses |")
    print("|---|---:|---:|---:|---:|---:|---|")
    for name, _, _, own in contestants:
        ratio = median(a.per_second / b.per_second for a, b in zip(own, contestants[0].samples, strict=True))
        rate, p99, server, load = (
            median(getattr(one, field) for one in own) for field in ("per_second", "p99_ms", "server_us", "load_us")
        )
        statuses = sorted({status for one in own for status in one.statuses})
        print(f"| {name} | {rate:,.0f} | {ratio:.2f} | {p99:.0f} | {server:.0f} | {load:.0f} | {statuses} |")


if __name__ == "__main__":
    sys.exit(main())
