"""Query the database during the load, as a results page does, and measure each answer."""

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
    """Yield the durations of reading these tallies, until the context ends. A failed query counts with its duration, but at
    least a second.
    """
    durations, stop = Histogram(), threading.Event()

    def ask_repeatedly() -> None:
        with contextlib.closing(Database(settings.database("web"), size=1, name=BY)) as db:
            while not stop.wait(EVERY_S):
                began, least = time.monotonic(), 0.0
                try:
                    with db.read() as tx:
                        tallies.read(tx, competitions)
                except DatabaseUnavailable:
                    least = 1.0
                durations.add(max(time.monotonic() - began, least))

    thread = threading.Thread(target=ask_repeatedly, name="probe", daemon=True)
    thread.start()
    try:
        yield durations
    finally:
        stop.set()
        thread.join()
