"""`python -m bench.servers`: the same votes and the same bare app under uvicorn, and under granian by ASGI and by RSGI.

For the decision which server stands before the front door (`docs/adr/`). Under uvicorn votes go the short way of
`express_protocol.py`, under RSGI the same short way, under granian's ASGI the endpoint.
"""

import argparse
import contextlib
import multiprocessing
import sys
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from statistics import median
from typing import NamedTuple

from bench import recording
from bench.acceptance import Generator, Sample
from bench.ground import ROOT, WEB_PROCESSES, Ground, prepared
from bench.parts import Server, bare_app, free_port, front_door, running
from bench.voters import HOST

VOTERS_PER_SECOND = 25_000
GRANIAN = ("--workers", str(WEB_PROCESSES), "--loop", "uvloop", "--no-access-log", "--log-level", "warning")


class Contestant(NamedTuple):
    """A server with what it serves, and its samples."""

    name: str
    server: Server
    is_bare: bool
    samples: list[Sample]


def main() -> int:
    """Measure in turns, print a table."""
    parser = argparse.ArgumentParser(prog="python -m bench.servers", description=__doc__)
    parser.add_argument("--seconds", type=float, default=4, help="how long each measurement takes (default: 4)")
    parser.add_argument("--rounds", type=int, default=3, help="how often everything is measured (default: 3)")
    parser.add_argument("--connections", type=int, default=256, help="keep-alive connections (default: 256)")
    options = parser.parse_args()
    each = round(VOTERS_PER_SECOND * options.seconds)
    with (
        prepared(each * options.rounds * 3, shared_competitions=1) as (ground, _),
        ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool,
        contextlib.ExitStack() as stack,
    ):
        recording.make_ready(ground)
        generator = Generator(pool, options.connections, options.seconds, ground.crowd.parts(each))
        contestants = [stack.enter_context(one) for one in _all(ground)]
        for number in range(options.rounds):
            for one in contestants if number % 2 == 0 else reversed(contestants):
                competition = 1 if one.is_bare else ground.new_competition()
                one.samples.append(generator.send(ground, one.server, competition, again=one.is_bare)[1])
    _print(contestants)
    return 0


def _all(ground: Ground) -> Iterator[contextlib.AbstractContextManager[Contestant]]:
    rsgi, asgi = "bench.granian_app:app", "vote.asgi:app"
    yield _named("bare, uvicorn", bare_app(ground), is_bare=True)
    yield _named("bare, granian ASGI", _granian(ground, "asgi", "bench.bare:app"), is_bare=True)
    yield _named("bare, granian RSGI", _granian(ground, "rsgi", rsgi), is_bare=True)
    yield _named("votes, uvicorn", front_door(ground), is_bare=False)
    yield _named("votes, granian ASGI", _granian(ground, "asgi", asgi), is_bare=False)
    yield _named("votes, granian RSGI", _granian(ground, "rsgi", rsgi, BENCH_RSGI="votes"), is_bare=False)


@contextlib.contextmanager
def _named(name: str, server: contextlib.AbstractContextManager[Server], *, is_bare: bool) -> Iterator[Contestant]:
    with server as one:
        yield Contestant(name, one, is_bare, [])


@contextlib.contextmanager
def _granian(ground: Ground, interface: str, app: str, **more: str) -> Iterator[Server]:
    port = free_port()
    name = f"granian-{port}"
    (ground.folder / name).mkdir()
    environment = (
        ground.environment | {"PROMETHEUS_MULTIPROC_DIR": str(ground.folder / name), "PYTHONPATH": str(ROOT)} | more
    )
    command = [
        sys.executable,
        "-m",
        "granian",
        "--host",
        HOST,
        "--port",
        str(port),
        "--interface",
        interface,
        *GRANIAN,
        app,
    ]
    with running(ground, name, command, environment, path=f"http://{HOST}:{port}/health") as process:
        yield Server(port, (process.pid, ground.pair.log_pid))


def _print(contestants: list[Contestant]) -> None:
    print("| server | per second | of uvicorn | p99 ms | server µs | statuses |\n|---|---:|---:|---:|---:|---|")
    for one in contestants:
        uvicorn = next(other for other in contestants if other.is_bare == one.is_bare)
        ratio = median(a.per_second / b.per_second for a, b in zip(one.samples, uvicorn.samples, strict=True))
        rate, p99, us = (
            median(getattr(s, field) for s in one.samples) for field in ("per_second", "p99_ms", "server_us")
        )
        statuses = {status for sample in one.samples for status in sample.statuses}
        print(f"| {one.name} | {rate:,.0f} | {ratio:.2f} | {p99:.0f} | {us:.0f} | {sorted(statuses)} |")


if __name__ == "__main__":
    sys.exit(main())
