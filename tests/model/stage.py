"""What all rules of the machine share: the world, the reference, who and what is there, and the look after each step."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

import redis
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant

from tests.model.clients import SHARDS
from tests.model.processes import Web, Zombie
from tests.model.promises import Promises
from tests.model.reference import Reference
from tests.model.world import World
from vote.ballotlog import keys
from vote.ballotlog.entries import parse
from vote.domain.person import Person
from vote.worker.worker import Worker

MAX_VOTERS, MAX_COMPETITIONS = 12, 4

Ask = tuple[int, int, str]  # index of the competition, index of the voter, choice

competitions_ = st.integers(0, MAX_COMPETITIONS - 1)
voters_ = st.integers(0, MAX_VOTERS - 1)
choices_ = st.sampled_from("ab")
asks_ = st.tuples(competitions_, voters_, choices_)
webs_ = workers_ = st.integers(0, 1)
shards_ = st.integers(0, SHARDS - 1)


class Stage(RuleBasedStateMachine):
    """The state of one run."""

    def __init__(self, world: World) -> None:
        super().__init__()
        self.world, self.reference = world, Reference(SHARDS)
        self.promises = Promises(self.reference)
        self.replicated = False
        self.organiser: Person
        self.admin: Person
        self.webs: list[Web] = []
        self.workers: list[Worker] = []
        self.people: list[int] = []
        self.competitions: list[int] = []
        self.pressed: list[tuple[int, int, str]] = []
        self.late: list[Any] = []  # calls whose deadline has passed
        self.orphans: list[tuple[list[Any], list[str]]] = []  # calls of dead web processes, and their ballots
        self.zombie: Zombie | None = None
        self.has_backup = False
        self.kills = 0
        self.set_back = False  # the log was, and not every web process has had a second since

    @invariant()
    def look(self) -> None:
        """Show the reference the log and the books."""
        reference = self.reference
        reference.see_books(self.world.read_books())
        instance = self.world.raw.info("server")["run_id"]
        for shard in range(SHARDS):
            rows: Any = self.world.raw.xrange(keys.log(shard))
            epoch, ready = self.world.raw.hmget(keys.state(shard), "epoch", "ready")
            entries = [parse(stream_id, fields["e"]) for stream_id, fields in rows]
            reference.see(shard, epoch or "", ready == instance, entries)
        self.promises.hold_always()

    def competition(self, which: int) -> int:
        return self.competitions[which % len(self.competitions)]

    def deliver(self, commands: list[Any]) -> None:
        """A call that was on the way arrives."""
        for command in commands:
            with suppress(redis.ResponseError):
                self._send(command)
        self.look()

    def _send(self, command: Any) -> None:
        """A call of the ballot box is bytes, as it was sent; one of the client a list of words."""
        if not isinstance(command, bytes):
            self.world.raw.execute_command(*command)
            return
        pool: Any = self.world.raw.connection_pool
        connection = pool.get_connection()
        try:
            connection.send_packed_command([command])
            connection.read_response()
        finally:
            pool.release(connection)

    @contextmanager
    def announcing(self, lost: bool) -> Iterator[None]:
        """What an action tells the shards may get lost."""
        self.world.log.lost = lost
        try:
            yield
        finally:
            self.world.log.lost = False
