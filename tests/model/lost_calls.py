"""Calls that get lost, come late or outlive the process that sent them, and announcements that get stuck."""

import asyncio

from hypothesis import strategies as st
from hypothesis.stateful import precondition, rule

from tests.model.ballots import Ballots
from tests.model.clients import LONG_S, budget
from tests.model.processes import Web
from tests.model.reference import stored_by
from tests.model.stage import Ask, asks_, webs_

SHORT_S = 0.05  # deadline of a call whose answer gets lost


class LostCalls(Ballots):
    """What is on the way may never arrive, or much later."""

    @rule(
        web=webs_,
        at_once=st.booleans(),
        ask=asks_,
        hindrance=st.sampled_from(["lost", "stuck"]),
        then=st.sampled_from(["", "again", "other"]),
    )
    def call_gets_lost(self, web: int, ask: Ask, hindrance: str, then: str, at_once: bool) -> None:
        """The answer does not come back, or the call does not get there; 503 once its deadline has passed."""
        with budget(SHORT_S):
            self.press(web, [ask], hindrance=hindrance)
        self.late += self.webs[web].box.stuck
        self.webs[web].box.stuck.clear()
        if then:
            self.press(web, [(*ask[:2], ask[2] if then == "again" else "ab"["ba".index(ask[2])])])
        if at_once and self.late:
            self.late_call_arrives()

    @precondition(lambda self: self.late)
    @rule()
    def late_call_arrives(self) -> None:
        """R3: after its deadline it does nothing, also when the shard takes ballots."""
        self.work(0)
        self.deliver([self.late.pop(0)])

    @precondition(lambda self: self.world.log.stuck)
    @rule(newest=st.booleans())
    def stuck_announcement_arrives(self, newest: bool) -> None:
        """R7: only for the life of the shard and of the server that it was made for, and only while that is ready."""
        self.look()
        shard, epoch, instance, call = self.world.log.stuck.pop(-1 if newest else 0)
        present = self.reference.shards[shard]
        same = present.ready and epoch == present.epochs[-1] and instance == self.world.raw.info("server")["run_id"]
        before = present.last
        self.deliver([call])
        assert same or self.reference.shards[shard].last == before, "R7: a push for another life was taken"

    @rule(web=webs_, ask=asks_)
    def web_process_dies_with_a_call(self, web: int, ask: Ask) -> None:
        """Nobody is told anything, and the ballot may still land."""
        self.a_second_passes()  # what it acknowledged in its last second, nobody knows
        dying = self.webs[web]
        with budget(LONG_S):
            ballots = self.world.runner.run(self._die(dying, ask))
        self.orphans.append((list(dying.box.stuck), ballots))
        self.webs[web] = Web(self.world)
        for competition in self.competitions:
            self.world.runner.run(self.webs[web].knows(competition))

    async def _die(self, web: Web, ask: Ask) -> list[str]:
        ballots = self._asked([ask])
        web.box.hindrance = "orphan"
        cast = self.reference.ballots[ballots[0]]
        dying = asyncio.create_task(web.press(ballots[0], cast))
        sent = asyncio.create_task(web.box.sent.wait())
        await asyncio.wait({dying, sent}, return_when=asyncio.FIRST_COMPLETED)
        tasks = [dying, sent] + ([web.box._running] if web.box._running else [])
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await web.box._kept.drop()
        return ballots

    @precondition(lambda self: self.orphans)
    @rule()
    def call_of_a_dead_process_arrives(self) -> None:
        commands, ballots = self.orphans.pop(0)
        self.reference.may_land = stored_by(self.reference.decide_all(ballots))
        self.deliver(commands)
        self.reference.may_land = set()
