"""An open-loop crowd: each press has its time, whatever became of the others, so a stall costs the latency it really costs.

A voter presses until they know: after 503 or no answer again, with the same choice. Some then try another choice.
"""

import asyncio
import random
import time
from collections.abc import Sequence
from typing import NamedTuple

from tests.storm.recorder import Attempt, Outcome, Recorder
from vote.auth import create_jwt_token
from vote.ops.load import target
from vote.ops.load.client import Client, pace
from vote.ops.load.target import vote_request

ANSWER_WITHIN_S = 10.0
TIMEOUT_S = 0.3  # before pressing again after 503: sooner than Retry-After asks for
GIVES_UP_AFTER = 200  # presses; a voter who still does not know is a finding in itself
TRIES_ANOTHER = 0.15
AT_ONCE = 400  # connections; more people than that wait for one, and their time runs


class Ticket(NamedTuple):
    """One voter's errand in one competition."""

    competition: int
    voter: int
    may_change: bool


class Crowd:
    """Presses for everybody."""

    def __init__(
        self, url: str, secret: str, recorder: Recorder, dice: random.Random, *, timeout_s: float = TIMEOUT_S
    ) -> None:
        self._target = target.parse(url)
        self._timeout_s = timeout_s
        self._secret = secret
        self._recorder = recorder
        self._dice = dice

    async def run(self, tickets: Sequence[Ticket], *, seconds: float) -> None:
        """Send everybody off, spread evenly over so many seconds, and wait until all know."""
        client = Client(self._target, AT_ONCE, answer_within_s=ANSWER_WITHIN_S)
        async with client, asyncio.TaskGroup() as errands:
            async for number, _ in pace(len(tickets), len(tickets) / seconds):
                errands.create_task(self._errand(client, tickets[number]))

    async def _errand(self, client: Client, ticket: Ticket) -> None:
        first = self._dice.choice("ab")
        choices = [first]
        if self._dice.random() < TRIES_ANOTHER:
            choices.append("b" if first == "a" else "a")
        token, number = create_jwt_token(ticket.voter, secret=self._secret), 0
        for choice in choices:
            request = vote_request(self._target, ticket.competition, token, choice)
            for _ in range(GIVES_UP_AFTER):
                number += 1
                began = time.monotonic()
                status = (await client.ask(request)).status
                outcome, took = _outcome(status), time.monotonic() - began
                self._recorder.write(
                    Attempt(ticket.competition, ticket.voter, number, choice, status, outcome, began, took)
                )
                if outcome != "info":
                    break
                await asyncio.sleep(self._timeout_s)


def _outcome(status: int) -> Outcome:
    return "ok" if status in (200, 202) else "fail" if status in (403, 409, 422) else "info"
