"""What the tests of the housekeeping do and look at."""

import json
from collections.abc import Callable
from typing import Any

from vote.ballotlog.log import BallotLog
from vote.db import tallies
from vote.db.pool import Database
from vote.db.users import Account
from vote.domain.competition import Competition
from vote.worker.worker import Worker

MakeUser = Callable[..., Account]
MakeCompetition = Callable[..., Competition]
Close = Callable[[Competition], None]
Execute = Callable[..., list[Any]]


def step(worker: Worker) -> None:
    """Everything that a worker does by the second, at once."""
    worker._next_schedule = worker._next_push = 0
    worker.step()


def entries(log: BallotLog, shard: int) -> list[int]:
    return [entry.position for entry in log.read_after(shard, 0, 1000)]


def backup(execute: Execute, held: dict[int, tuple[str, int]], *, verified: bool = True) -> None:
    """A backup that holds these positions."""
    execute(
        "INSERT INTO backups (label, started_at, positions, verified_at) VALUES (gen_random_uuid()::text, now(), %s,"
        " CASE WHEN %s THEN now() END)",
        json.dumps({str(shard): list(position) for shard, position in held.items()}),
        verified,
    )


def voters_in_log(log: BallotLog, competition: Competition) -> int:
    return sum(int(log._call("HLEN", f"vote:{{{shard}}}:voters:{competition.id}")) for shard in range(log.shards))


def counts(owner: Database, competition: Competition) -> dict[str, int]:
    with owner.read() as tx:
        return tallies.read(tx, [competition.id])[competition.id].counts
