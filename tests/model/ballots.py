"""Voting: ballots through a web process, each answer held against the reference. Here everybody is answered."""

import asyncio
import secrets
import time
from contextlib import suppress

from hypothesis import strategies as st
from hypothesis.stateful import precondition, rule

from tests.model.facts import Answer, Cast
from tests.model.processes import Web
from tests.model.reference import STORES, stored_by
from tests.model.stage import Ask, Stage, asks_, webs_, workers_
from vote.errors import LogUnavailable, Unavailable
from vote.worker.worker import Worker

SLOW_S = 1.0  # on a loaded machine a call may take longer than its deadline allows: then 503 is an honest answer
STATUS = {
    "accepted": 202,
    "changed": 202,
    "again": 200,
    "already": 409,
    "early": 403,
    "closed": 403,
    "cold": 503,
}


class Ballots(Stage):
    """People vote, and workers take turns."""

    @rule(web=webs_, ask=asks_)
    def vote(self, web: int, ask: Ask) -> None:
        self.press(web, [ask])

    @rule(web=webs_, ask=asks_)
    def vote_too(self, web: int, ask: Ask) -> None:
        self.press(web, [ask])

    @rule(web=webs_, ask=asks_, worker=workers_)
    def vote_and_work(self, web: int, ask: Ask, worker: int) -> None:
        """The usual course of things."""
        self.work(worker)
        self.press(web, [ask])

    @rule(web=webs_, asks=st.lists(asks_, min_size=3, max_size=8))
    def everybody_votes(self, web: int, asks: list[Ask]) -> None:
        self.work(0)
        self.press(web, asks)

    @rule(web=webs_, asks=st.lists(asks_, min_size=2, max_size=6))
    def several_vote_at_once(self, web: int, asks: list[Ask]) -> None:
        self.press(web, asks)

    @precondition(lambda self: self.pressed)
    @rule(web=webs_, which=st.integers(0, 9), other=st.booleans())
    def press_again(self, web: int, which: int, other: bool) -> None:
        """The same choice once more, or the other one."""
        competition, who, choice = self.pressed[-1 - which % len(self.pressed)]
        self.press(web, [(competition, who, "ab"["ba".index(choice)] if other else choice)])

    @rule(worker=workers_)
    def work(self, worker: int) -> None:
        """One turn of a worker's loop, its schedule included; but for closings the web processes have a second first."""
        one = self.workers[worker]
        if self.set_back:
            self.a_second_passes()
        one._next_schedule = one._next_push = 0.0
        self.take_a_turn(one)

    def take_a_turn(self, one: Worker) -> None:
        """A turn of a worker's loop, which begins anew where the log has lost its functions."""
        try:
            one.step()
        except LogUnavailable:
            with suppress(Unavailable):
                one.prepare()

    @rule()
    def a_second_passes(self) -> None:
        """Every web process compares, and writes down, what it has acknowledged."""
        self.set_back = False
        for web in self.webs:
            self.world.runner.run(web.have_a_second())
        self.look()

    def press(self, web: int, asks: list[Ask], hindrance: str | None = None) -> None:
        """Ballots of one moment through one web process; each answer is held against the reference."""
        if not self.webs[web].box._kept.is_open:
            self.world.runner.run(self.webs[web].connect())
        self.look()
        reference, process = self.reference, self.webs[web]
        ballots = [
            one
            for one, (competition, _, _) in zip(self._asked(asks), asks, strict=True)
            if self.world.runner.run(process.knows(self.competition(competition)))
        ]
        words = reference.decide_all(ballots)
        reference.may_land = stored_by(words)
        process.box.hindrance = hindrance
        began = time.monotonic()
        answers = self.world.runner.run(self._press_all(process, ballots))
        slow = time.monotonic() - began > SLOW_S
        process.box.hindrance = None
        self.look()
        reference.may_land = set()
        for (ballot, (word, basis)), (status, receipt) in zip(words.items(), answers, strict=True):
            self._check(ballot, word, status, excused=hindrance is not None or slow)
            answer: Answer = "ack" if status in (200, 202) else "503" if status == 503 else "refused"
            reference.tell(ballot, answer, basis if answer == "ack" else None, receipt)

    async def _press_all(self, web: Web, ballots: list[str]) -> list[tuple[int, object]]:
        return await asyncio.gather(*(web.press(one, self.reference.ballots[one]) for one in ballots))

    def _asked(self, asks: list[Ask]) -> list[str]:
        ballots = []
        for competition, who, choice in asks:
            ballot, key = secrets.token_hex(16), (self.competition(competition), self.people[who % len(self.people)])
            self.reference.send(ballot, key, choice)
            ballots.append(ballot)
            self.pressed.append((competition, who, choice))
        return ballots

    def _check(self, ballot: str, word: str, status: int, *, excused: bool) -> None:
        """Whether the voter was told what the log must have said; a call that was hindered may also end as 503."""
        cast, landed = self.reference.ballots[ballot], self.reference.landed
        if not (excused and status == 503):
            expected = self._unknown(cast) if word == "unknown" else STATUS[word]
            assert status == expected, f"{cast}: the log should say {word} ({expected}), told {status}"
        if not excused:
            assert (ballot in landed) == (word in STORES), f"{word}, but the log says otherwise"

    def _unknown(self, cast: Cast) -> int:
        """What a voter is told when the log does not know the competition: as PostgreSQL has it."""
        books = self.reference.books
        assert books is not None
        if books.votes.get(cast.key) == cast.choice:
            return 200
        status = books.competitions.get(cast.key[0])
        if status is None:
            return 404
        return 503 if status.state == "open" else 403
