"""Casting ballots in tests: through the real box, without a web server around it."""

import asyncio
import secrets
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

import psycopg
import pytest

from tests.stack import DEADLINE_S
from vote.ballotlog import ballot_box, box_connection
from vote.ballotlog.ballot_box import BallotBox
from vote.ballotlog.pending_ballot import Outcome
from vote.config import Settings
from vote.domain.installation import Installation

OF_A_PRESS = [
    (module, name, getattr(module, name))
    for module, name in ((ballot_box, "ANSWER_WITHIN_S"), (ballot_box, "CALL_BUDGET_S"), (box_connection, "WAIT_S"))
]


def installation_of(settings: Settings) -> Installation:
    """The one of the database of these settings."""
    with psycopg.connect(settings.database("owner").url) as connection:
        row = connection.execute("SELECT value FROM settings WHERE key = 'installation'").fetchone()
    assert row is not None
    return Installation(row[0])


def box_of(settings: Settings) -> BallotBox:
    """A ballot box for these settings, as a web process has it."""
    return BallotBox(settings.log_url, settings.vote_shards, installation_of(settings))


def cast(settings: Settings, competition: int, voter: int, choice: str) -> Outcome:
    """Cast one ballot."""
    return cast_all(settings, [(competition, voter, choice)])[0]


def cast_all(settings: Settings, ballots: Iterable[tuple[int, int, str]]) -> list[Outcome]:
    """Cast ballots at the same instant. Waits for a disk that is busy with other tests, which a voter need not."""

    async def run() -> list[Outcome]:
        opened = box_of(settings)
        try:
            return await asyncio.gather(
                *(
                    opened.cast(competition=competition, voter=voter, choice=choice, ballot_id=secrets.token_hex(16))
                    for competition, voter, choice in ballots
                )
            )
        finally:
            await opened.close()

    with unhurried():
        return asyncio.run(run())


@contextmanager
def unhurried() -> Iterator[None]:
    """Give a ballot of this process as long as a busy machine needs, instead of the two seconds of a press."""
    with pytest.MonkeyPatch.context() as patch:
        for module, name, of_a_press in OF_A_PRESS:
            if getattr(module, name) == of_a_press:  # else a test has set its own
                patch.setattr(module, name, DEADLINE_S)
        yield
