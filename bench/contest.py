"""Servers that are sent the same requests in turns, every second round in the other order."""

import argparse
import contextlib
import multiprocessing
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import AbstractContextManager
from typing import NamedTuple

from bench import recording
from bench.acceptance import Generator, Sample
from bench.ground import Ground, prepared
from bench.parts import Server

VOTERS_PER_SECOND = 25_000


class Contestant(NamedTuple):
    """A server with what it serves, and its samples. `is_bare`: it does not mind who sends a request twice."""

    name: str
    server: Server
    is_bare: bool
    samples: list[Sample]


def run(
    prog: str,
    about: str | None,
    enter: Callable[[Ground], Iterable[AbstractContextManager[Contestant]]],
    *,
    voting: int,
) -> list[Contestant]:
    """Read the command line and measure; `voting` of the contestants need voters of their own."""
    options = _options(prog, about)
    each = round(VOTERS_PER_SECOND * options.seconds)
    with (
        prepared(each * options.rounds * voting, shared_competitions=1) as (ground, _),
        ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool,
        contextlib.ExitStack() as stack,
    ):
        recording.make_ready(ground)
        generator = Generator(pool, options.connections, options.seconds, ground.crowd.parts(each))
        contestants = [stack.enter_context(one) for one in enter(ground)]
        for number in range(options.rounds):
            for one in contestants if number % 2 == 0 else reversed(contestants):
                competition = ground.new_competition()
                one.samples.append(generator.send(ground, one.server, competition, again=one.is_bare)[1])
    return contestants


@contextlib.contextmanager
def named(name: str, server: AbstractContextManager[Server], *, is_bare: bool) -> Iterator[Contestant]:
    """A contestant, as long as its server runs."""
    with server as one:
        yield Contestant(name, one, is_bare, [])


def _options(prog: str, about: str | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog=prog, description=about)
    parser.add_argument("--seconds", type=float, default=4, help="how long each measurement takes (default: 4)")
    parser.add_argument("--rounds", type=int, default=3, help="how often everything is measured (default: 3)")
    parser.add_argument("--connections", type=int, default=256, help="keep-alive connections (default: 256)")
    return parser.parse_args()
