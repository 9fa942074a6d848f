"""Votes at a given rate, each sent when it is due, whether or not those before it were answered (open loop)."""

import time
from functools import partial
from typing import NamedTuple

import uvloop

from bench.load import STORED
from bench.voters import HOST, Crowd, requests
from vote.ops.load.client import Client, HttpAnswer, pace
from vote.ops.load.target import Target

LAST_ANSWERS_S = 10.0
CONNECTIONS = 64


class Stream(NamedTuple):
    """Voters who vote one after the other, so many a second."""

    port: int
    competition: int
    crowd: Crowd
    per_second: float


class AcknowledgedVote(NamedTuple):
    """A vote that was acknowledged; times in seconds since 1970."""

    voter: int
    due: float
    accepted: float


def send(stream: Stream) -> list[AcknowledgedVote]:
    """Send them all. Raises RuntimeError unless every one was acknowledged. For a process of its own."""
    return uvloop.run(_send(stream, requests(stream.crowd, "bearer", stream.competition)))


async def _send(stream: Stream, made: list[bytes]) -> list[AcknowledgedVote]:
    acknowledged: list[AcknowledgedVote] = []
    epoch = time.time() - time.monotonic()

    def note(voter: int, due: float, answer: HttpAnswer) -> None:
        if answer.status in STORED:
            acknowledged.append(AcknowledgedVote(voter, epoch + due, time.time()))

    async with Client(Target("http", HOST, stream.port), CONNECTIONS) as client:
        await client.open_all()
        async for number, due in pace(len(made), stream.per_second):
            client.send(made[number], partial(note, stream.crowd.first + number, due))
        await client.drain(LAST_ANSWERS_S)
    if len(acknowledged) != len(made):
        raise RuntimeError(f"{len(made) - len(acknowledged)} votes were not accepted")
    return acknowledged
