"""Clients of the log that can be hindered: calls get lost, announcements get stuck, a worker's call stops half way."""

import asyncio
import secrets
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from vote.ballotlog import ballot_box as box_module
from vote.ballotlog import keys
from vote.ballotlog.ballot_box import BallotBox
from vote.ballotlog.entries import Entry
from vote.ballotlog.log import BallotLog
from vote.ballotlog.shard import Pushed, PushStatus, Shard
from vote.domain.installation import Installation

SHARDS = 2
LONG_S = 60.0  # deadline of a call whose web process dies


class HinderedBox(BallotBox):
    """A ballot box whose next call may get lost on the way there (`stuck`), on the way back (`lost`), or never return."""

    def __init__(self, url: str, installation: Installation) -> None:
        super().__init__(url, SHARDS, installation)
        self.hindrance: str | None = None
        self.stuck: list[Any] = []
        self.sent = asyncio.Event()

    async def _exchange(self, open_connection: Any, commands: list[Any], budget_s: float) -> list[Any]:
        if self.hindrance in ("stuck", "orphan"):
            self.stuck += commands
            self.sent.set()
            if self.hindrance == "orphan":
                await asyncio.Event().wait()
            raise TimeoutError
        answers = await super()._exchange(open_connection, commands, budget_s)
        if self.hindrance == "lost":
            raise TimeoutError
        return answers


class HeldLog(BallotLog):
    """A worker's client of the log that stops in the middle of one call and goes on much later: a zombie's."""

    def __init__(self, url: str, installation: Installation) -> None:
        super().__init__(url, SHARDS, installation)
        self.hold: tuple[str, int] = ("", 0)
        self.reached, self.go = threading.Event(), threading.Event()

    def _maybe_hold(self, name: str) -> None:
        at, turn = self.hold
        if at == name:
            self.hold = at, turn - 1
            if turn == 1:
                self.reached.set()
                assert self.go.wait(60)

    def read_after(self, *arguments: Any) -> list[Entry]:
        entries = super().read_after(*arguments)
        self._maybe_hold("read_after")
        return entries

    def describe(self, shard: int) -> Any:
        self._maybe_hold("describe")
        return super().describe(shard)

    def begin_epoch(self, *arguments: Any) -> PushStatus:
        self._maybe_hold("begin_epoch")
        return super().begin_epoch(*arguments)

    def push_rules(self, *arguments: Any, **named: Any) -> Pushed:
        self._maybe_hold("push_rules")
        return super().push_rules(*arguments, **named)

    def push_voters(self, *arguments: Any) -> PushStatus:
        self._maybe_hold("push_voters")
        return super().push_voters(*arguments)

    def make_ready(self, *arguments: Any) -> PushStatus:
        self._maybe_hold("make_ready")
        return super().make_ready(*arguments)


class SilencedLog(BallotLog):
    """A client whose announcements may get stuck on the way."""

    lost = False

    def __init__(self, url: str, installation: Installation) -> None:
        super().__init__(url, SHARDS, installation)
        self.stuck: list[tuple[int, str, str, list[Any]]] = []  # shard, its epoch and instance, the call

    def push_rules(self, shard: Shard, rules: Any, *, warming: bool = False) -> Pushed:
        if not self.lost:
            return super().push_rules(shard, rules, warming=warming)
        shard = shard._replace(now_ms=shard.now_ms + round(LONG_S * 1000))
        names = [keys.log(shard.number), keys.state(shard.number), keys.rules(shard.number)]
        flat = [value for one in rules for value in (one.competition, one.text(), secrets.token_hex(16))]
        made_for = self.installation.id, shard.now_ms, shard.epoch, shard.instance
        call = ["FCALL", "vote_push_rules", 3, *names, *made_for, 0, *flat]
        self.stuck.append((shard.number, shard.epoch, shard.instance, call))
        return Pushed("expired")


@contextmanager
def budget(seconds: float) -> Iterator[None]:
    """Give calls of the ballot box another deadline."""
    before, box_module.CALL_BUDGET_S = box_module.CALL_BUDGET_S, seconds
    try:
        yield
    finally:
        box_module.CALL_BUDGET_S = before
