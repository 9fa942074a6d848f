"""A crowd of voters: many people, many connections, every answer kept, so that told and counted can be compared."""

import asyncio
import json
import secrets
from collections import Counter
from collections.abc import Iterable
from typing import NamedTuple
from urllib.parse import urlsplit

from tests.conftest import JWT_SECRET, PASSWORD_HASH
from vote.auth import create_jwt_token
from vote.db.pool import Database

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
    """Ids of new voters, made in one statement."""
    with owner.transaction(by="tests") as tx:
        rows = tx.execute(
            "INSERT INTO users (username, email, password_hash)"
            " SELECT name, name || '@example.com', %s FROM generate_series(1, %s) n,"
            " LATERAL (SELECT format('crowd-%%s-%%s', %s::text, n)) AS named (name) RETURNING id",
            (PASSWORD_HASH, count, secrets.token_hex(3)),
        )
        return [row[0] for row in rows]


def press(url: str, ballots: Iterable[Ballot]) -> list[Told]:
    """Cast all ballots over CONNECTIONS keep-alive connections; what fails on the way is told as status 0."""
    address = urlsplit(url)
    waiting = list(ballots)
    tokens = {ballot.voter: create_jwt_token(ballot.voter, secret=JWT_SECRET) for ballot in waiting}
    told: list[Told] = []

    async def one_connection() -> None:
        stream = None
        while waiting:
            ballot = waiting.pop()
            try:
                if stream is None:
                    stream = await asyncio.open_connection(address.hostname, address.port)
                async with asyncio.timeout(ANSWER_WITHIN_S):
                    told.append(await _cast(*stream, ballot, tokens[ballot.voter]))
            except (OSError, EOFError, TimeoutError):
                told.append(Told(ballot, 0, {}))
                if stream is not None:
                    stream[1].close()
                stream = None
        if stream is not None:
            stream[1].close()
            await stream[1].wait_closed()

    async def all_connections() -> None:
        await asyncio.gather(*(one_connection() for _ in range(CONNECTIONS)))

    asyncio.run(all_connections())
    return told


async def _cast(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, ballot: Ballot, token: str) -> Told:
    body = f"vote={ballot.choice}"
    writer.write(
        (
            f"POST /vote/{ballot.competition} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {token}\r\n"
            f"Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {len(body)}\r\n\r\n{body}"
        ).encode()
    )
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").lower()
    status = int(head.split(" ", 2)[1])
    length = int(head.split("content-length: ")[1].split("\r\n")[0])
    return Told(ballot, status, json.loads(await reader.readexactly(length)))


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
