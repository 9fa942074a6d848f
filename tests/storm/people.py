"""An open-loop crowd: each press has its time, whatever became of the others, so a stall costs the latency it really costs.

A voter presses until they know: after 503 or no answer again, with the same choice. Some then try another choice.
"""

import asyncio
import contextlib
import random
import time
from collections.abc import Sequence
from typing import NamedTuple
from urllib.parse import urlsplit

from tests.storm.recorder import Attempt, Outcome, Recorder
from vote.auth import create_jwt_token

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
        self._address = urlsplit(url)
        self._timeout_s = timeout_s
        self._secret = secret
        self._recorder = recorder
        self._dice = dice
        self._idle: list[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = []
        self._places = asyncio.Semaphore(AT_ONCE)

    async def run(self, tickets: Sequence[Ticket], *, seconds: float) -> None:
        """Send everybody off, spread evenly over so many seconds, and wait until all know."""
        began = time.monotonic()
        errands = []
        for number, ticket in enumerate(tickets):
            wait = began + seconds * number / len(tickets) - time.monotonic()
            if wait > 0:
                await asyncio.sleep(wait)
            errands.append(asyncio.create_task(self._errand(ticket)))
        await asyncio.gather(*errands)
        for _, writer in self._idle:
            writer.close()

    async def _errand(self, ticket: Ticket) -> None:
        first = self._dice.choice("ab")
        choices = [first]
        if self._dice.random() < TRIES_ANOTHER:
            choices.append("b" if first == "a" else "a")
        token, number = create_jwt_token(ticket.voter, secret=self._secret), 0
        for choice in choices:
            for _ in range(GIVES_UP_AFTER):
                number += 1
                outcome = await self._press(ticket, number, choice, token)
                if outcome != "info":
                    break
                await asyncio.sleep(self._timeout_s)

    async def _press(self, ticket: Ticket, number: int, choice: str, token: str) -> Outcome:
        began, status = time.monotonic(), 0
        async with self._places:
            with contextlib.suppress(OSError, EOFError, TimeoutError, ValueError, IndexError):
                async with asyncio.timeout(ANSWER_WITHIN_S):
                    status = await self._exchange(ticket.competition, choice, token)
        outcome: Outcome = "ok" if status in (200, 202) else "fail" if status in (403, 409, 422) else "info"
        self._recorder.write(
            Attempt(ticket.competition, ticket.voter, number, choice, status, outcome, began, time.monotonic() - began)
        )
        return outcome

    async def _exchange(self, competition: int, choice: str, token: str) -> int:
        reader, writer = await self._connection()
        try:
            body = f"vote={choice}"
            writer.write(
                (
                    f"POST /vote/{competition} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {token}\r\n"
                    f"Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {len(body)}\r\n\r\n{body}"
                ).encode()
            )
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").lower()
            await reader.readexactly(int(head.split("content-length: ")[1].split("\r\n")[0]))
        except BaseException:
            writer.transport.abort()
            raise
        self._idle.append((reader, writer))
        return int(head.split(" ", 2)[1])

    async def _connection(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        while self._idle:
            reader, writer = self._idle.pop()
            if not (reader.at_eof() or writer.is_closing()):
                return reader, writer
        return await asyncio.open_connection(self._address.hostname, self._address.port)
