"""A competition, voters of one shard, and a loop that outlives a call."""

import asyncio
from collections.abc import Callable, Iterator

import pytest

from vote.ballotlog.log import BallotLog
from vote.db.pool import Database
from vote.db.users import Account
from vote.domain.ballot import shard_of
from vote.domain.competition import Competition
from vote.worker.worker import Worker

Make = Callable[..., Competition]
MakeUser = Callable[..., Account]


@pytest.fixture
def runner() -> Iterator[asyncio.Runner]:
    with asyncio.Runner() as one:
        yield one


@pytest.fixture
def voters(owner: Database, make_user: MakeUser, log: BallotLog, competition: Competition) -> list[int]:
    """Voters of one shard, the first of them's."""
    people = [make_user().id for _ in range(4 * log.shards)]
    shard = shard_of(competition.id, people[0], log.shards)
    mine = [one for one in people if shard_of(competition.id, one, log.shards) == shard]
    while len(mine) < 4:
        one = make_user().id
        mine += [one] if shard_of(competition.id, one, log.shards) == shard else []
    return mine


@pytest.fixture
def competition(worker: Worker, make_competition: Make) -> Competition:
    one = make_competition()
    worker.step()
    return one


@pytest.fixture
def home(competition: Competition, voters: list[int], log: BallotLog) -> int:
    return shard_of(competition.id, voters[0], log.shards)
