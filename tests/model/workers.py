"""What workers do: whole turns, single steps, and steps in which one freezes while another gets on."""

from contextlib import suppress

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import precondition, rule

from tests.model.ballots import Ballots
from tests.model.clients import SHARDS
from tests.model.processes import Zombie
from tests.model.stage import Ask, asks_, shards_, workers_
from vote.domain.ballot import shard_of
from vote.errors import Unavailable
from vote.worker.drain import drain
from vote.worker.make_ready import make_ready

HELD_AT = [
    ("read_after", 1),
    ("describe", 2),
    ("describe", 3),
    ("begin_epoch", 1),
    ("push_rules", 1),
    ("push_voters", 1),
    ("make_ready", 1),
]


class Workers(Ballots):
    """Workers step by step, and a zombie."""

    @rule(worker=workers_)
    def work_too(self, worker: int) -> None:
        self.work(worker)

    @rule(worker=workers_, shard=shards_)
    def drain_one_entry(self, worker: int, shard: int) -> None:
        with pytest.MonkeyPatch.context() as patch, suppress(Unavailable):
            patch.setattr("vote.worker.drain.BATCH_ENTRIES", 1)
            drain(self.workers[worker].db, self.workers[worker].log, shard)

    @rule(worker=workers_, shard=shards_)
    def drain_one_shard(self, worker: int, shard: int) -> None:
        with suppress(Unavailable):
            self.workers[worker].drain(shard)

    @rule(worker=workers_, shard=shards_)
    def one_step_towards_ready(self, worker: int, shard: int) -> None:
        one = self.workers[worker]
        with suppress(Unavailable):
            make_ready(one.db, one.log, shard, may_lack_a_tail=self.replicated)

    @precondition(lambda self: self.zombie is None)
    @rule(shard=shards_, hold=st.sampled_from(HELD_AT))
    def worker_freezes(self, shard: int, hold: tuple[str, int]) -> None:
        """In the middle of a step, holding the row of the shard."""
        self.zombie = Zombie(self.world, shard, hold, may_lack_a_tail=self.replicated)

    @precondition(lambda self: self.zombie is None)
    @rule(worker=workers_, asks=st.lists(asks_, min_size=1, max_size=4), loses_its_lock=st.booleans())
    def frozen_worker_is_overtaken(self, worker: int, asks: list[Ask], loses_its_lock: bool) -> None:
        """It has read a batch, people go on voting, and another worker tries to get on."""
        competition, who, _ = asks[0]
        self.press(0, asks[:1])
        shard = shard_of(self.competition(competition), self.people[who % len(self.people)], SHARDS)
        self.worker_freezes(shard, ("read_after", 1))
        self.press(0, asks[1:])
        if loses_its_lock:
            self.frozen_worker_loses_its_lock()
        self.drain_one_shard(worker, shard)
        self.look()
        self.frozen_worker_wakes()

    @precondition(lambda self: self.zombie is not None)
    @rule()
    def frozen_worker_loses_its_lock(self) -> None:
        """As IDLE_IN_TRANSACTION_MS takes it."""
        self.world.stop_zombie()

    @precondition(lambda self: self.zombie is not None)
    @rule()
    def frozen_worker_wakes(self) -> None:
        zombie, self.zombie = self.zombie, None
        assert zombie is not None
        zombie.wake()
