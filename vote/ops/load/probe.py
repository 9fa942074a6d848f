"""Asks the database while the load runs, as a results page does, and notes how long each answer takes."""

import contextlib
import threading
import time
from collections.abc import Iterator, Sequence

from vote.config import Settings
from vote.db import tallies
from vote.db.pool import Database
from vote.errors import DatabaseUnavailable
from vote.ops.load.histogram import Histogram
from vote.ops.load.voter_accounts import BY

EVERY_S = 0.1


@contextlib.contextmanager
def asking(settings: Settings, competitions: Sequence[int]) -> Iterator[Histogram]:
    """The times of reading these tallies, until the context ends. An answer that fails counts as the time it took to fail,
    and never as quick: at least a second.
    """
    found, over = Histogram(), threading.Event()

    def ask_on() -> None:
        with contextlib.closing(Database(settings.database("web"), size=1, name=BY)) as db:
            while not over.wait(EVERY_S):
                began, least = time.monotonic(), 0.0
                try:
                    with db.read() as tx:
                        tallies.read(tx, competitions)
                except DatabaseUnavailable:
                    least = 1.0
                found.add(max(time.monotonic() - began, least))

    thread = threading.Thread(target=ask_on, name="probe", daemon=True)
    thread.start()
    try:
        yield found
    finally:
        over.set()
        thread.join()
