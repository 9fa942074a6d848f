"""R4: a worker that froze with a batch in its hands changes nothing that it no longer has the lock for."""

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.casting import cast, installation_of
from vote.ballotlog.entries import Entry
from vote.ballotlog.log import BallotLog
from vote.config import Settings
from vote.db import shard_positions, tallies
from vote.db.pool import Database
from vote.db.users import Account
from vote.domain.ballot import shard_of
from vote.domain.competition import Competition
from vote.errors import DatabaseUnavailable
from vote.worker.drain import drain
from vote.worker.worker import Worker


class FreezingLog(BallotLog):
    """Stops after it has read a batch, until it is told to go on."""

    def __init__(self, settings: Settings) -> None:
        super().__init__(settings.log_url, settings.vote_shards, installation_of(settings))
        self.has_read, self.go_on = threading.Event(), threading.Event()

    def read_after(self, shard: int, position: int, count: int) -> list[Entry]:
        entries = super().read_after(shard, position, count)
        self.has_read.set()
        assert self.go_on.wait(30)
        return entries


@pytest.fixture
def freezing(settings: Settings) -> Iterator[FreezingLog]:
    log = FreezingLog(settings)
    yield log
    log.go_on.set()
    log.close()


@pytest.fixture
def frozen_db(settings: Settings) -> Iterator[Database]:
    db = Database(settings.database("worker"), size=1, name="frozen worker")
    yield db
    db.close()


@pytest.mark.parametrize("loses_its_lock", [False, True])
def test_what_a_frozen_worker_has_read_is_recorded_once(
    owner: Database,
    settings: Settings,
    worker: Worker,
    freezing: FreezingLog,
    frozen_db: Database,
    make_user: Callable[..., Account],
    make_competition: Callable[..., Competition],
    loses_its_lock: bool,
) -> None:
    competition, first = make_competition(), make_user().id
    shard = shard_of(competition.id, first, settings.vote_shards)
    second = next(one for one in iter(lambda: make_user().id, None) if shard_of(competition.id, one, 8) == shard)
    cast(settings, competition.id, first, "a")

    with ThreadPoolExecutor(1) as background:
        frozen = background.submit(drain, frozen_db, freezing, shard)
        assert freezing.has_read.wait(30)
        cast(settings, competition.id, second, "b")
        if loses_its_lock:
            with owner.read() as tx:
                tx.execute(
                    "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE application_name = %s",
                    ("frozen worker",),
                )
        overtaken = worker.drain(shard)
        freezing.go_on.set()
        if loses_its_lock:
            with pytest.raises(DatabaseUnavailable):
                frozen.result()
        else:
            frozen.result()
    with owner.read() as tx:
        at = shard_positions.all_positions(tx)[shard]
    recorded_at_once = worker.drain(shard)

    assert (overtaken, recorded_at_once) == ((2, 0) if loses_its_lock else (0, 1))
    assert at.recorded == (2 if loses_its_lock else 1), "a position went back, or a ballot came in twice"
    with owner.read() as tx:
        assert tallies.read(tx, [competition.id])[competition.id].counts == {"a": 1, "b": 1}
