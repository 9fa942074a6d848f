"""Everything that may happen, put together: how a run begins, and how it is healed and judged at its end."""

import sys
from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import initialize

from tests.conftest import PASSWORD_HASH
from tests.model.lost_calls import LostCalls
from tests.model.people import People
from tests.model.processes import Web
from tests.model.restores import Restores
from tests.model.set_backs import SetBacks
from tests.model.stage import MAX_VOTERS
from tests.model.strangers import Strangers
from vote.db import users
from vote.domain.person import Person


class Machine(People, LostCalls, SetBacks, Strangers, Restores):
    """Everything that may happen."""

    @initialize(replicated=st.booleans())
    def begin(self, replicated: bool) -> None:
        """Two web processes, two workers, two competitions, three voters; every shard is ready."""
        world, self.replicated = self.world, replicated
        world.begin()
        self.webs = [Web(world), Web(world)]
        self.workers = world.workers
        for worker in self.workers:
            worker.may_lack_a_tail = replicated
            worker._announced.clear()
        with world.owner.transaction(by="tests") as tx:
            roles: tuple[Any, ...] = ("organiser", "admin")
            ids = [
                users.insert(tx, username=role, email=f"{role}@example.com", password_hash=PASSWORD_HASH, role=role)
                for role in roles
            ]
        self.organiser, self.admin = (Person(one, role, role) for one, role in zip(ids, roles, strict=True))
        self.workers[0].prepare()
        self.workers[0].step()
        self.look()
        for _ in range(MAX_VOTERS // 2):
            self.register()
        for allow_change in (False, True):
            self.create(allow_change=allow_change, later=False, lost=False)
        self.back_up()

    def teardown(self) -> None:
        """Heal everything, drain, and look whether the promises were kept."""
        try:
            if self.zombie is not None:
                self.frozen_worker_wakes()
            if self.competitions and sys.exc_info()[0] is None:
                self.settle()
        finally:
            for web in self.webs:
                self.world.runner.run(web.box.close())

    def settle(self) -> None:
        """Nothing is under way any more, all is healed: what was promised is there, and everybody can still ask."""
        while self.late:
            self.late_call_arrives()
        while self.world.log.stuck:
            self.stuck_announcement_arrives(False)
        while self.orphans:
            self.call_of_a_dead_process_arrives()
        self.heal()
        self.promises.hold_when_quiet(self.world.read_books())
        for competition, who, choice in dict.fromkeys(self.pressed[-6:]):
            self.press(0, [(competition, who, choice)])

    def heal(self) -> None:
        """All parts run and nobody breaks anything; an admin decides what waits for a word."""
        self.a_second_passes()
        for turn in range(6):
            self.work(turn % 2)
            self.look()
        for which in range(len(self.competitions)):
            self.decide_over_a_gap(which, False)
        for turn in range(2):
            self.work(turn % 2)
            self.look()
