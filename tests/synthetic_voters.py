"""Many voters on many connections, with every answer kept: what they were told and what is counted can be compared."""

import asyncio
import json
import secrets
from collections import Counter
from collections.abc import Iterable
from typing import NamedTuple

from tests.conftest import JWT_SECRET
from vote.auth import create_jwt_token
from vote.db import synthetic_voters
from vote.db.pool import Database
from vote.ops.load import target
from vote.ops.load.client import Client
from vote.ops.load.target import vote_request

CONNECTIONS = 64
ANSWER_WITHIN_S = 20.0


class Ballot(NamedTuple):
    """One press of the button."""

    competition: int
    voter: int
    choice: str


class Told(NamedTuple):
    """What the voter was told: status 0 when no answer came."""

    ballot: Ballot
    status: int
    body: dict[str, object]


def make_voters(owner: Database, count: int) -> list[int]:
    """Return the ids of new voters."""
    with owner.transaction(by="tests") as tx:
        return synthetic_voters.insert(tx, prefix=f"crowd-{secrets.token_hex(3)}", count=count)


def press(url: str, ballots: Iterable[Ballot]) -> list[Told]:
    """Cast all ballots, CONNECTIONS at a time; what fails on the way is told as status 0."""
    return asyncio.run(_press(url, list(ballots)))


async def _press(url: str, ballots: list[Ballot]) -> list[Told]:
    aim, places = target.parse(url), asyncio.Semaphore(CONNECTIONS)
    tokens = {ballot.voter: create_jwt_token(ballot.voter, secret=JWT_SECRET) for ballot in ballots}

    async def cast(ballot: Ballot) -> Told:
        async with places:
            answer = await client.ask(vote_request(aim, ballot.competition, tokens[ballot.voter], ballot.choice))
        return Told(ballot, answer.status, json.loads(answer.body) if answer.status else {})

    async with Client(aim, CONNECTIONS, answer_within_s=ANSWER_WITHIN_S) as client:
        return await asyncio.gather(*map(cast, ballots))


def acknowledged(told: Iterable[Told]) -> dict[tuple[int, int], str]:
    """(competition, voter) → choice of every ballot that was called stored. Fails when one voter was told two choices."""
    stored: dict[tuple[int, int], str] = {}
    for one in told:
        if one.status in (200, 202):
            key = one.ballot.competition, one.ballot.voter
            assert stored.setdefault(key, one.ballot.choice) == one.ballot.choice, f"two choices acknowledged: {one}"
    return stored


def recorded(owner: Database) -> dict[tuple[int, int], str]:
    """(competition, voter) → choice of every vote in PostgreSQL."""
    with owner.read() as tx:
        rows = tx.execute("SELECT competition_id, user_id, choice FROM votes").fetchall()
    return {(row[0], row[1]): row[2] for row in rows}


def tally_of(votes: dict[tuple[int, int], str], competition: int) -> Counter[str]:
    """Counts per option."""
    return Counter(choice for (one, _), choice in votes.items() if one == competition)
