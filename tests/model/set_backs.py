"""The log comes back from an older copy of its disk: what was acknowledged meanwhile is missing, recorded or not."""

from hypothesis import strategies as st
from hypothesis.stateful import rule

from tests.model.log_faults import LogFaults
from tests.model.stage import Ask, asks_, shards_, webs_, workers_


class SetBacks(LogFaults):
    """One shard goes back, by some entries; web processes find out when they reach it again, workers from PostgreSQL."""

    @rule(
        shard=shards_,
        count=st.integers(1, 4),
        asks=st.lists(asks_, min_size=1, max_size=5),
        written=st.booleans(),
        web=webs_,
        worker=workers_,
        then=st.sampled_from(["", "ready", "grown", "grown and recorded"]),
    )
    def log_is_set_back(
        self, shard: int, count: int, asks: list[Ask], written: bool, web: int, worker: int, then: str
    ) -> None:
        """After a ballot or more; it may take others before the web process that knows better has reached it again."""
        self.a_second_passes()
        self.press(web, asks)
        if written:
            self.a_second_passes()
        if self._take_some(shard, count):
            self.set_back = True
            self._cut_webs_off()
        if then:
            self._get_on(worker)
        if then.startswith("grown"):
            self.press(1 - web, asks)
        if then.endswith("recorded"):
            self.drain_one_shard(worker, shard)
            self.look()

    def _take_some(self, shard: int, count: int) -> bool:
        self.look()
        state, books = self.reference.shards[shard], self.world.read_books()
        if not state.entries or state.hurt or not state.epochs:
            return False
        epoch, position = books.positions[shard]
        for _ in range(min(count, len(state.entries))):
            self._take_last(shard, recorded=epoch == state.epochs[-1] and position >= state.last)
        marked = self.world.marked(shard, state.epochs[-1])
        state.behind = marked is not None and marked > state.last
        self._cool(shard, hurt=True)
        self._forget_instance(shard)
        return True

    def _get_on(self, worker: int) -> None:
        """Make ready what is cold, without the schedule: closings wait until everybody has had a second."""
        one = self.workers[worker]
        one._next_schedule = float("inf")
        self.take_a_turn(one)
        self.look()
