"""The log breaks: it is killed, wiped, emptied, rolled back, or another server takes its place."""

from contextlib import suppress
from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import precondition, rule

from tests.model.clients import SHARDS
from tests.model.stage import Ask, asks_, shards_
from tests.model.workers import Workers
from vote.ballotlog import keys
from vote.ballotlog.entries import Rules
from vote.domain.ballot import Ballot
from vote.errors import LogUnavailable

NOBODY = "f" * 40  # an instance that is not running


class LogFaults(Workers):
    """Faults of the log, while people vote."""

    @precondition(lambda self: self.kills < 1)  # a start takes as long as ten other steps
    @rule()
    def log_is_killed(self) -> None:
        """And started again on its disk: what it had acknowledged is there."""
        self.kills += 1
        self.world.servers.restart_log()
        self._other_instance()

    @rule(
        what=st.sampled_from(["instance", "wiped", "emptied", "rolled back", "rolled back"]),
        shard=shards_,
        asks=st.lists(asks_, max_size=4),
    )
    def log_breaks(self, what: str, shard: int, asks: list[Ask]) -> None:
        """Another server instance, an empty server, an empty shard, a shard without its last entry; while people vote."""
        if self.set_back:
            self.a_second_passes()  # the log is not lost twice within one
        self.press(0, asks)
        if what == "wiped":
            self.world.raw.flushall()
            self.world.raw.execute_command("FUNCTION", "FLUSH")
        elif what == "emptied":
            self.world.raw.delete("", *self.world.raw.keys(f"vote:{{{shard}}}:*"))
        elif what == "rolled back":
            self._roll_back(shard)
        for one in range(SHARDS):
            if what == "wiped" or (what == "emptied" and one == shard):
                self.reference.wipe(one)
            elif what == "instance":
                self._cool(one)
                self._forget_instance(one)

    def _roll_back(self, shard: int) -> None:
        """After a failover nobody waited for; or a single server from an older disk, when the entry was recorded."""
        self.look()
        if not self.replicated:
            self.drain_one_shard(0, shard)
            self.look()
        state = self.reference.shards[shard]
        books = self.world.read_books()
        promoted = self.replicated and self._was_ready(shard)
        recorded = bool(state.epochs) and books.positions[shard] == (state.epochs[-1], state.last)
        loses = bool(state.entries) and not state.hurt and (recorded or promoted)
        if loses:
            self._take_last(shard, recorded=recorded)
        self._cool(shard, hurt=loses)
        self._forget_instance(shard)

    def _take_last(self, shard: int, *, recorded: bool) -> None:
        raw, reference = self.world.raw, self.reference
        entry = reference.drop_last(shard, recorded=recorded)
        rows: Any = raw.xrange(keys.log(shard))
        raw.delete(keys.log(shard))
        for stream_id, fields in rows[:-1]:
            raw.xadd(keys.log(shard), fields, id=stream_id)
        raw.hset(keys.state(shard), "last", entry.position - 1)
        if isinstance(entry.content, Ballot):
            key = entry.content.competition, entry.content.voter
            had = reference.shards[shard].stored.get(key)
            self._set(keys.voters(shard, key[0]), key[1], reference.ballots[had].choice if had else None)
        elif isinstance(entry.content, Rules):
            competition = entry.content.competition
            rules = reference.shards[shard].rules.get(competition)
            self._set(keys.rules(shard), competition, rules.text() if rules else None)

    def _set(self, name: str, key: int, value: str | None) -> None:
        if value is None:
            self.world.raw.hdel(name, str(key))
        else:
            self.world.raw.hset(name, str(key), value)

    def _was_ready(self, shard: int) -> bool:
        """Whether the shard was made ready for some instance in its present life."""
        return bool(self.world.raw.hget(keys.state(shard), "ready"))

    def _forget_instance(self, shard: int) -> None:
        if self._was_ready(shard):
            self.world.raw.hset(keys.state(shard), "ready", NOBODY)

    def _cool(self, shard: int, *, hurt: bool = False) -> None:
        self.reference.cool(shard, hurt=hurt, promoted=self.replicated and self._was_ready(shard))

    def _cut_webs_off(self) -> None:
        for web in self.webs:
            self.world.runner.run(web.box._drop())

    def _other_instance(self) -> None:
        for shard in range(SHARDS):
            self._cool(shard)
        self._cut_webs_off()
        for log in (self.world.log, *(worker.log for worker in self.workers)):
            with suppress(LogUnavailable):
                log.describe(0)  # the first call finds the dead connection
