"""The log is set back to an older copy of its disk while votes in it are not recorded, as when a snapshot is taken back.

What it acknowledged meanwhile is lost: that is the disk's doing. It must lie in a gap, every single vote of it.
"""

import asyncio
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from functools import partial
from pathlib import Path
from typing import NamedTuple

import psutil
import psycopg
import redis

from tests.storm import verdict
from tests.storm.chaos import children_of, heal_by
from tests.storm.people import Crowd, Ticket
from tests.storm.recorder import Recorder
from vote.ballotlog.log import BallotLog
from vote.domain.ballot import Ballot
from vote.domain.installation import Installation

WITHIN_S = 120.0
Place = tuple[int, str, int]  # shard, epoch, position


class SetBack(NamedTuple):
    """What it came to. `outside`: acknowledged votes that are lost and lie in no gap."""

    acknowledged: int
    lost: int
    gaps: int
    outside: list[str]
    wrong: list[str]

    @property
    def is_clean(self) -> bool:
        """It has hurt, and all that is lost is known to be."""
        return self.lost > 0 and not self.outside and not self.wrong

    def line(self) -> str:
        """The figures in one line."""
        return (
            f"log set back with a backlog: {self.acknowledged} acknowledged, {self.lost} lost in {self.gaps} gaps,"
            f" lost outside a gap {len(self.outside)}, duplicate, phantom or mismatch {len(self.wrong)}"
        )


def run(
    parent: int,
    crowd: Callable[[], Crowd],
    recorder: Recorder,
    tickets: Sequence[Ticket],
    is_healed: Callable[[], bool],
    *,
    database: str,
    log: str,
) -> SetBack:
    """Half the people vote and the log is copied; the others vote, nothing is recorded; then the copy takes its place."""
    half = len(tickets) // 2
    with _frozen(children_of(parent, "worker")), tempfile.TemporaryDirectory(prefix="storm-") as folder:
        data, copy = _data_of(log), Path(folder) / "copy"
        asyncio.run(crowd().run(tickets[:half], seconds=half / 100))
        _copy(data, copy)
        asyncio.run(crowd().run(tickets[half:], seconds=half / 100))
        places = _places(database, log)
        with _frozen([psutil.Process(parent)]):  # it would start the log at once, on what is there
            for process in children_of(parent, "ballot log"):
                process.kill()
                heal_by(time.monotonic() + WITHIN_S, partial(_has_ended, process))
            shutil.rmtree(data)
            _copy(copy, data)
    heal_by(time.monotonic() + WITHIN_S, lambda: is_healed() and _gaps(database) != [])
    return _judge(recorder, tickets, places, database)


def _judge(recorder: Recorder, tickets: Sequence[Ticket], places: dict[verdict.Key, Place], database: str) -> SetBack:
    keys = {(one.competition, one.voter) for one in tickets}
    attempts = [one for one in recorder.read() if (one.competition, one.voter) in keys]
    acknowledged = {(one.competition, one.voter) for one in attempts if one.outcome == "ok"}
    books, gaps = verdict.read_books(database), _gaps(database)
    lost = acknowledged - books.votes.keys()
    outside = [f"{key} at {places[key]}" for key in lost if not any(_covers(gap, places[key]) for gap in gaps)]
    found = verdict.judge(attempts, tickets, books)
    return SetBack(len(acknowledged), len(lost), len(gaps), outside, found.duplicate + found.phantom + found.mismatch)


def _covers(gap: Place, place: Place) -> bool:
    return gap[:2] == place[:2] and gap[2] < place[2]


def _gaps(database: str) -> list[Place]:
    with psycopg.connect(database) as connection:
        rows = connection.execute("SELECT shard, old_epoch, old_position FROM log_gaps").fetchall()
    return [(row[0], row[1], row[2]) for row in rows]


def _places(database: str, log: str) -> dict[verdict.Key, Place]:
    """Where the newest ballot of each voter lies."""
    with psycopg.connect(database) as connection:
        row = connection.execute(
            "SELECT max(value) FILTER (WHERE key = 'installation'), max(value) FILTER (WHERE key = 'shards') FROM settings"
        ).fetchone()
    assert row is not None
    places: dict[verdict.Key, Place] = {}
    with closing(BallotLog(log, int(row[1]), Installation(row[0]))) as client:
        for shard in client.describe_all():
            for entry in client.read_after(shard.number, 0, 1_000_000):
                if isinstance(entry.content, Ballot):
                    places[entry.content.competition, entry.content.voter] = shard.number, shard.epoch, entry.position
    return places


def _data_of(log: str) -> Path:
    with redis.Redis.from_url(log, decode_responses=True) as client:
        return Path(client.config_get("dir")["dir"])


def _copy(source: Path, target: Path) -> None:
    subprocess.run(["cp", "-a", str(source), str(target)], check=True)


def _has_ended(process: psutil.Process) -> bool:
    """Nobody reaps it while its parent is frozen."""
    return not process.is_running() or process.status() == psutil.STATUS_ZOMBIE


@contextmanager
def _frozen(processes: list[psutil.Process]) -> Iterator[None]:
    for process in processes:
        process.send_signal(signal.SIGSTOP)
    try:
        yield
    finally:
        for process in processes:
            process.send_signal(signal.SIGCONT)
