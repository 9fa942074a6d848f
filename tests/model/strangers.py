"""Another installation is pointed at this log by mistake: it is refused whatever it asks for, and changes nothing (R11)."""

import asyncio
import secrets
from collections.abc import Callable
from contextlib import closing

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import rule

from tests.model.clients import SHARDS
from tests.model.stage import Ask, Stage, asks_, shards_
from vote.ballotlog.ballot_box import BallotBox
from vote.ballotlog.entries import Rules
from vote.ballotlog.log import BallotLog
from vote.ballotlog.shard import Shard
from vote.domain.installation import Installation
from vote.domain.mark import AcknowledgedMark
from vote.errors import ForeignLog, LogUnavailable

STRANGER = Installation("5" * 32)
HIGH = 2**52  # a version above any that was pushed

Act = Callable[[BallotLog, Shard, int], object]
ACTS: dict[str, Act] = {
    "describe": lambda log, shard, _: log.describe(shard.number),
    "read": lambda log, shard, _: log.read_after(shard.number, 0, 10),
    "look up": lambda log, _, competition: log.stored_choice(competition, 1),
    "close": lambda log, shard, one: log.push_rules(shard, [Rules(one, HIGH, "closing", None, None, False, "ab")]),
    "begin": lambda log, shard, _: log.begin_epoch(shard),
    "make ready": lambda log, shard, _: log.make_ready(shard),
    "trim": lambda log, shard, _: log.trim(shard, shard.last),
    "forget": lambda log, shard, competition: log.forget(shard, {competition: HIGH}),
    "compare": lambda log, shard, _: log.compare(shard.number, AcknowledgedMark(shard.epoch, HIGH, "0")),
    "claim": lambda log, shard, _: log.claim(shard.number, shard.epoch),
}


class Strangers(Stage):
    """What a second installation does to a log that is not its own."""

    @rule(what=st.sampled_from(list(ACTS)), number=shards_)
    def stranger_is_refused(self, what: str, number: int) -> None:
        try:
            shard = self.world.log.describe(number)
        except LogUnavailable:
            return  # it was emptied together with its functions
        if not shard.installation:
            return  # nobody's: whoever comes first may have it
        with closing(BallotLog(self.world.settings.log_url, SHARDS, STRANGER)) as log, pytest.raises(ForeignLog):
            ACTS[what](log, shard, self.competition(0))
        self.look()
        assert self.world.log.describe(number)._replace(now_ms=0) == shard._replace(now_ms=0)

    @rule(ask=asks_)
    def stranger_votes(self, ask: Ask) -> None:
        """A web process of the other installation: the voter is told 503, and nothing is stored."""
        competition, who, choice = ask
        self.world.runner.run(self._cast(self.competition(competition), self.people[who % len(self.people)], choice))
        self.look()

    async def _cast(self, competition: int, voter: int, choice: str) -> None:
        box = BallotBox(self.world.settings.log_url, SHARDS, STRANGER)
        with pytest.raises(LogUnavailable):
            async with asyncio.timeout(60):
                await box.cast(competition=competition, voter=voter, choice=choice, ballot_id=secrets.token_hex(16))
        await box.close()
