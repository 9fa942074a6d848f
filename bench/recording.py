"""Recorded votes per second of one worker, beside plain batched INSERTs of the same rows into the same tables.

The worker is `vote worker` itself, on a log that was filled before. The plain side then writes the very rows that the
worker wrote to `ballots` and `votes` into the second database, in the same batches, with the rows ready in memory: no log
to read, no checks, no chain, no tallies, no positions.
"""

import asyncio
import contextlib
import secrets
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from itertools import groupby
from operator import itemgetter
from typing import Any, NamedTuple

import psycopg
from psycopg import sql

from bench.check import Acknowledged
from bench.ground import Ground
from bench.parts import wait_recorded, worker
from bench.progress import Tell
from bench.voters import choice_of
from vote.ballotlog.ballot_box import BallotBox
from vote.db.pool import Tx
from vote.worker.drain import BATCH_ENTRIES

AT_ONCE = 2_000  # ballots given to the box together while the log is filled
READY_S = 30.0

# Who is asked first, so that a row finds what it refers to.
TABLES = "ballots", "votes"


class Rows(NamedTuple):
    """Rows of one table: the statement that inserts them, and the values by column."""

    insert: sql.Composed
    columns: list[Any]


@dataclass(slots=True)
class Rounds:
    """Votes per second of each round."""

    worker: list[float]
    two_workers: list[float]
    plain: list[float]
    plain_as_text: list[float]

    def raw(self) -> dict[str, object]:
        """For results.json."""
        return asdict(self)


def make_ready(ground: Ground) -> None:
    """Let a worker make every shard of the log ready. Raises TimeoutError."""
    deadline = time.monotonic() + READY_S
    with worker(ground) as one:
        while not all(shard.ready for shard in ground.log.describe_all()):
            if time.monotonic() > deadline:
                raise TimeoutError(f"the shards of the log did not become ready:\n{one.last_lines()}")
            time.sleep(0.05)  # between two looks at the log


def measure(ground: Ground, competitions: list[int], ballots: int, told: Acknowledged, tell: Tell) -> Rounds:
    """One round per competition: the worker, then the same rows plainly, as Python values and as text made before; and two
    workers, with as many ballots in a competition of their own.
    """
    done = Rounds([], [], [], [])
    for competition in competitions:
        for workers, one in ((2, ground.new_competition()), (1, competition)):
            told.add_all(one, asyncio.run(_fill(ground, one, ground.crowd.ids[:ballots])))
            rate = _drain(ground, ballots, workers=workers)
            (done.worker if workers == 1 else done.two_workers).append(rate)
            tell("one worker" if workers == 1 else "two workers", rate)
        with ground.owner.read() as tx:
            batches = [[_rows(tx, table, ids) for table in TABLES] for ids in _batches(tx, competition)]
        done.plain.append(ballots / _insert(ground.plain_url, batches))
        tell("plain batched INSERT", done.plain[-1])
        _empty(ground.plain_url, competition)
        done.plain_as_text.append(
            ballots / _insert(ground.plain_url, [[_as_text(rows) for rows in one] for one in batches])
        )
        tell("plain batched INSERT, as text", done.plain_as_text[-1])
    return done


async def _fill(ground: Ground, competition: int, voters: range) -> dict[int, str]:
    """Cast a ballot for every voter. Returns what was acknowledged."""
    box = BallotBox(ground.settings.log_url, ground.settings.vote_shards, ground.log.installation)
    try:
        for start in range(0, len(voters), AT_ONCE):
            calls = [
                box.cast(competition=competition, voter=one, choice=choice_of(one), ballot_id=secrets.token_hex(16))
                for one in voters[start : start + AT_ONCE]
            ]
            words = {outcome.result for outcome in await asyncio.gather(*calls)}
            assert words == {"accepted"}, f"the log answered {words}"
    finally:
        await box.close()
    return {voter: choice_of(voter) for voter in voters}


def _drain(ground: Ground, ballots: int, *, workers: int) -> float:
    """Start workers on the filled log. From the beginning of the first batch to the end of the last."""
    with contextlib.ExitStack() as stack:
        started = [stack.enter_context(worker(ground)) for _ in range(workers)]
        batches = wait_recorded(started, ballots)
    return ballots / (max(one.at for one in batches) - min(one.at - one.seconds for one in batches))


def _batches(tx: Tx, competition: int) -> Iterator[list[Any]]:
    """Ids of the ballots that the worker recorded, batch by batch."""
    query = "SELECT shard, id FROM ballots WHERE competition_id = %s ORDER BY shard, position"
    for _, places in groupby(tx.execute(query, (competition,)).fetchall(), key=itemgetter(0)):
        ids = [row[1] for row in places]
        for start in range(0, len(ids), BATCH_ENTRIES):
            yield ids[start : start + BATCH_ENTRIES]


def _rows(tx: Tx, table: str, ballots: list[Any]) -> Rows:
    """The rows of these ballots as they lie in a table, whatever columns it has; columns without a value are left out."""
    found = tx.execute(
        sql.SQL(
            "SELECT t.* FROM {} t WHERE (competition_id, user_id) IN"
            " (SELECT competition_id, user_id FROM ballots WHERE id = ANY(%s))"
        ).format(sql.Identifier(table)),
        (ballots,),
    )
    described = found.description or []
    values = zip(*found.fetchall(), strict=True)
    filled = [
        (one, list(column)) for one, column in zip(described, values, strict=True) if any(v is not None for v in column)
    ]
    insert = sql.SQL("INSERT INTO {} ({}) SELECT * FROM unnest({})").format(
        sql.Identifier(table),
        sql.SQL(", ").join(sql.Identifier(one.name) for one, _ in filled),
        sql.SQL(", ").join(sql.SQL("%s::" + one.type_display + "[]") for one, _ in filled),
    )
    return Rows(insert, [column for _, column in filled])


def _as_text(rows: Rows) -> Rows:
    """The same with each column written as PostgreSQL reads it, so that the driver has nothing to convert."""
    return Rows(rows.insert, ["{" + ",".join(map(_literal, column)) + "}" for column in rows.columns])


def _literal(value: object) -> str:
    return f'"\\\\x{bytes(value).hex()}"' if isinstance(value, bytes | memoryview) else f'"{value}"'


def _empty(url: str, competition: int) -> None:
    """Take the rows of a competition away again."""
    with psycopg.connect(url, autocommit=True) as connection:
        for table in reversed(TABLES):
            delete = sql.SQL("DELETE FROM {} WHERE competition_id = %s").format(sql.Identifier(table))
            connection.execute(delete, (competition,))
            connection.execute(sql.SQL("VACUUM {}").format(sql.Identifier(table)))


def _insert(url: str, batches: list[list[Rows]]) -> float:
    """Insert them, one transaction per batch. Returns the seconds it took."""
    with psycopg.connect(url, autocommit=True) as connection:
        began = time.perf_counter()
        for batch in batches:
            with connection.transaction():
                for rows in batch:
                    connection.execute(rows.insert, rows.columns)
        return time.perf_counter() - began
