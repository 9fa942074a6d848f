"""A running system with a proxy on each way between two of its parts, and people who vote all the time meanwhile."""

import contextlib
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from tests import proxy
from tests.conftest import JWT_SECRET
from tests.proxy import Proxy
from tests.stack import Stack, running
from vote.auth import create_jwt_token

PRESS_EVERY_S = 0.05
PRESSERS = 4  # one that is kept waiting must not keep all others
FLOWS = ("web to PostgreSQL", "web to the log", "web to the cache", "worker to PostgreSQL", "worker to the log")


@contextlib.contextmanager
def proxied(environment: Mapping[str, str], folder: Path) -> Iterator[tuple[Stack, dict[str, Proxy]]]:
    """The system in `folder`, and its flows by the names of FLOWS."""
    database, log = environment["DATABASE_URL"], environment["REDIS_URL"]
    with contextlib.ExitStack() as held:
        flows, urls = {}, {}
        for name in FLOWS:
            before = proxy.before_postgres(database) if "PostgreSQL" in name else proxy.before_redis(log)
            flows[name], urls[name] = held.enter_context(before)
        web = {
            "DATABASE_URL": urls["web to PostgreSQL"],
            "BALLOT_LOG_URL": urls["web to the log"],
            "REDIS_URL": urls["web to the cache"],
        }
        worker = {"DATABASE_URL": urls["worker to PostgreSQL"], "BALLOT_LOG_URL": urls["worker to the log"]}
        stack = running({**environment, **web}, folder, of_worker=worker | {"REDIS_URL": log})
        yield held.enter_context(stack), flows


class Pressed(NamedTuple):
    """One press: who, when (monotonic), for how long, and the answer's status; 0 when there was none."""

    voter: int
    began: float
    seconds: float
    status: int


class People:
    """Voters who press one after the other, from `start` to `finish`."""

    def __init__(self, stack: Stack, competition: int, voters: Sequence[int]) -> None:
        self._stack, self._competition, self._waiting = stack, competition, list(reversed(voters))
        self.pressed: list[Pressed] = []
        self._enough = threading.Event()
        self._threads = [threading.Thread(target=self._press_on, daemon=True) for _ in range(PRESSERS)]

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    def finish(self) -> list[Pressed]:
        """Every press, when the last one is answered."""
        self._enough.set()
        for thread in self._threads:
            thread.join()
        return self.pressed

    def accepted_since(self, moment: float) -> list[int]:
        """Voters who pressed after that moment and were told 202."""
        return [one.voter for one in self.pressed if one.began >= moment and one.status == 202]

    def _press_on(self) -> None:
        while self._waiting and not self._enough.wait(PRESS_EVERY_S * PRESSERS):
            voter = self._waiting.pop()
            self.pressed.append(press(self._stack, self._competition, voter))


def press(stack: Stack, competition: int, voter: int, *, logged_in_at: float | None = None) -> Pressed:
    """One press by a login of that moment."""
    token = create_jwt_token(voter, secret=JWT_SECRET, now=logged_in_at)
    began, status = time.monotonic(), 0
    with contextlib.suppress(OSError):
        status = stack.vote(competition, "a", token).status
    return Pressed(voter, began, time.monotonic() - began, status)
