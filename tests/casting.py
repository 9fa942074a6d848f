"""Casting ballots in tests: through the real box, without a web server around it."""

import asyncio
import secrets
from collections.abc import Iterable

from vote.ballotlog.box import BallotBox, Outcome
from vote.config import Settings


def cast(settings: Settings, competition: int, voter: int, choice: str) -> Outcome:
    """Cast one ballot."""
    return cast_all(settings, [(competition, voter, choice)])[0]


def cast_all(settings: Settings, ballots: Iterable[tuple[int, int, str]]) -> list[Outcome]:
    """Cast ballots at the same instant."""

    async def run() -> list[Outcome]:
        box = BallotBox(settings.log_url, settings.vote_shards)
        try:
            return await asyncio.gather(
                *(
                    box.cast(competition=competition, voter=voter, choice=choice, ballot_id=secrets.token_hex(16))
                    for competition, voter, choice in ballots
                )
            )
        finally:
            await box.close()

    return asyncio.run(run())
