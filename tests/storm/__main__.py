"""Runs a storm on a `vote up` of its own, then one orderly outage of each store, then sets the log back to an older copy.
Then, on stacks of their own, makes each flow half-open and promotes a standby without the newest rows. Prints the verdict.

Exit code 1 when anything is wrong, or much later than the same machine needs without the fault.

STORM_VOTES   voters' errands, one or more presses each (default 20,000)
STORM_KILLS   kills and freezes, spread over the time (default 60)
STORM_RATE    errands a second (default 150)
STORM_SEED    of the dice (default: the time)
STORM_REPORT  a file to write the report to, as Markdown
"""

import asyncio
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import NamedTuple

import dotenv
import psycopg

from tests.stack import VOTE, Stack, free_port
from tests.storm import flows, outages, promoted, set_back, verdict
from tests.storm.chaos import Chaos, heal_by
from tests.storm.outages import Outage, Outages
from tests.storm.people import TIMEOUT_S, Crowd, Ticket
from tests.storm.recorder import Recorder
from vote.db import synthetic_voters

START_WITHIN_S = 120.0
HEAL_WITHIN_S = 120.0
VOTERS_PER_COMPETITION = 2_000
SET_BACK_ERRANDS = 400  # half of them before the log is copied


class Storm:
    """The system under the storm: one `vote up` in a folder of its own, with these settings."""

    def __init__(self, folder: Path, **settings: str) -> None:
        self.home, self.port = folder / "home", free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        kept = {name: os.environ[name] for name in ("PATH", "LANG", "TMPDIR", "PYTHONPATH") if name in os.environ}
        environment = {**kept, "VOTE_HOME": str(self.home), "PORT": str(self.port), "WEB_CONCURRENCY": "2"}
        environment |= settings
        with (folder / "output").open("wb") as output:
            self.process = subprocess.Popen([*VOTE, "up"], env=environment, stdout=output, stderr=output, cwd=folder)

    def probe(self, path: str) -> bytes:
        """The body of an answer 200; empty when it is anything else."""
        try:
            told = Stack.request(self, "GET", path)  # type: ignore[arg-type]  # it only needs `url`
        except OSError:
            return b""
        return told.body if told.status == 200 else b""

    def is_ready(self) -> bool:
        """A vote can be acknowledged."""
        return bool(self.probe("/ready"))

    def is_drained(self) -> bool:
        """Nothing is accepted and not recorded."""
        return b"vote_pending_ballots 0.0" in self.probe("/metrics")

    def is_healed(self) -> bool:
        """Votes are accepted, and all are recorded."""
        return self.is_ready() and self.is_drained()

    @property
    def secrets(self) -> dict[str, str | None]:
        """What the parts were given."""
        return dotenv.dotenv_values(self.home / "environment")

    def stop(self) -> None:
        """Ctrl-C."""
        self.process.send_signal(signal.SIGINT)
        self.process.wait(timeout=60)


def prepare(url: str, errands: int) -> list[Ticket]:
    """Competitions, half of them with change allowed, and voters for so many errands."""
    count = max(2, -(-errands // VOTERS_PER_COMPETITION))
    with psycopg.connect(url) as connection:
        competitions = [_competition(connection, number) for number in range(count)]
        voters = synthetic_voters.insert(connection, prefix=f"storm-{competitions[0]}", count=-(-errands // count))
    tickets = [Ticket(one, voter, number % 2 == 1) for voter in voters for number, one in enumerate(competitions)]
    return tickets[:errands]


def _competition(connection: psycopg.Connection, number: int) -> int:
    row = connection.execute(
        "INSERT INTO competitions (name, status, allow_change, receipt_key, rules_version, opened_at)"
        " VALUES ('Storm', 'open', %s, %s, 1, now()) RETURNING id",
        (number % 2 == 1, os.urandom(32)),
    ).fetchone()
    assert row is not None
    connection.execute(
        "INSERT INTO options (competition_id, key, label) VALUES (%s, 'a', 'A'), (%s, 'b', 'B')", row * 2
    )
    return int(row[0])


class Facts(NamedTuple):
    """What a storm came to."""

    seed: int
    kills: Counter[str]
    blown_s: float
    healed_s: float
    drained_s: float
    outages: list[Outage]
    books: verdict.Books
    found: verdict.Verdict
    set_back: set_back.SetBack

    @property
    def is_clean(self) -> bool:
        """Nothing is wrong, and nothing was late by the measure of this machine."""
        is_whole = self.found.is_clean and self.books.gaps == 0  # before the log was set back
        return is_whole and all(one.is_within for one in self.outages) and self.set_back.is_clean

    def lines(self) -> list[str]:
        """The report."""
        found, books, kills = self.found, self.books, self.kills
        return [
            f"{found.attempts:,} attempts: " + ", ".join(f"{n:,} {o}" for o, n in sorted(found.outcomes.items())),
            f"{kills.total()} kills in {self.blown_s:.0f} s: "
            + ", ".join(f"{n} {what}" for what, n in sorted(kills.items())),
            f"well again {self.healed_s:.1f} s after the last answer, drained {self.drained_s:.1f} s later; "
            f"{len(books.votes):,} votes, {sum(books.ballots.values()):,} ballots, "
            f"{books.gaps} gaps, {books.unmatched} unmatched, {books.rejected} rejected",
            *(one.line() for one in self.outages),
            self.set_back.line(),
            f"seed {self.seed}",
            *found.lost[:5],
            *found.duplicate[:5],
            *found.phantom[:5],
            *found.mismatch[:5],
            *self.set_back.outside[:5],
            *self.set_back.wrong[:5],
        ]


def main() -> int:
    """One storm, and an orderly outage of each store after it."""
    errands, kills = int(os.environ.get("STORM_VOTES", "20000")), int(os.environ.get("STORM_KILLS", "60"))
    rate, seed = float(os.environ.get("STORM_RATE", "150")), int(os.environ.get("STORM_SEED", str(int(time.time()))))
    print(f"Storm: {errands:,} errands at {rate:g}/s, {kills} kills, seed {seed}", flush=True)
    with tempfile.TemporaryDirectory(prefix="storm-") as folder:
        storm = Storm(Path(folder))
        recorder = Recorder(Path(folder) / "attempts.jsonl")
        try:
            heal_by(time.monotonic() + START_WITHIN_S, storm.is_ready)
            facts = _run(storm, recorder, errands=errands, kills=kills, rate=rate, seed=seed)
        finally:
            recorder.close()
            storm.stop()
        _tell(facts)
        half_open = flows.run("embedded", Path(folder) / "flows")
        lost_tail = promoted.storm(Path(folder) / "promoted", seed, start=Storm, prepare=prepare)
    for one in (half_open, lost_tail):
        print(one.line(), flush=True)
    return 0 if facts.is_clean and half_open.is_clean and lost_tail.is_clean else 1


def _run(storm: Storm, recorder: Recorder, *, errands: int, kills: int, rate: float, seed: int) -> Facts:
    database, secret, log = (storm.secrets[name] or "" for name in ("DATABASE_URL", "JWT_SECRET", "REDIS_URL"))
    each = int(rate * outages.SECONDS)
    tickets = prepare(database, errands + outages.COUNT * each + SET_BACK_ERRANDS)
    random.Random(seed).shuffle(tickets)
    tickets, last = tickets[:-SET_BACK_ERRANDS], tickets[-SET_BACK_ERRANDS:]

    def crowd(timeout_s: float = TIMEOUT_S) -> Crowd:
        return Crowd(storm.url, secret, recorder, random.Random(seed), timeout_s=timeout_s)

    chaos = Chaos(storm.process.pid, random.Random(seed), kills=kills, over_s=errands / rate * 0.95)
    chaos.start()
    began = time.monotonic()
    asyncio.run(crowd().run(tickets[:errands], seconds=errands / rate))
    chaos.finish()
    blown = time.monotonic() - began
    healed = heal_by(time.monotonic() + HEAL_WITHIN_S, storm.is_ready)
    drained = heal_by(time.monotonic() + HEAL_WITHIN_S, storm.is_drained)
    taker = Outages(storm.process.pid, crowd, recorder, database=database, log=log)
    orderly = taker.all(tickets[errands:], each)
    heal_by(time.monotonic() + HEAL_WITHIN_S, storm.is_drained)
    books = verdict.read_books(database)
    found = verdict.judge(recorder.read(), tickets, books)
    lost = set_back.run(storm.process.pid, crowd, recorder, last, storm.is_healed, database=database, log=log)
    return Facts(seed, chaos.kills, blown, healed, drained, orderly, books, found, lost)


def _tell(facts: Facts) -> None:
    print("\n".join([*facts.lines(), "", facts.found.line()]), flush=True)
    if report := os.environ.get("STORM_REPORT"):
        text = "\n".join(f"- {line}" for line in facts.lines())
        Path(report).write_text(f"# Storm report\n\n**{facts.found.line()}**\n\n{text}\n", encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())
