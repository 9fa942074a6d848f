"""What is counted after a load: the tallies as everybody sees them, and the vote of each voter, read from the database or
asked for as each voter's own data.
"""

import contextlib
from collections import Counter
from collections.abc import Callable, Sequence
from typing import NamedTuple

from vote.config import Settings
from vote.db import synthetic_voters, votes
from vote.db.pool import Database
from vote.ops.load import competitions
from vote.ops.load.api import Api, for_each
from vote.ops.load.target import Target
from vote.ops.load.voter_accounts import BY, Voter

Key = tuple[int, int]  # competition, user id


class RecordedVotes(NamedTuple):
    """Votes by voter, how many ballots of each the journal has, counts per option by competition."""

    votes: dict[Key, str]
    ballots: dict[Key, int]
    tallies: dict[int, dict[str, int]]


def read(api: Api, settings: Settings, ids: Sequence[int]) -> RecordedVotes:
    """The books, of every voter in the database of these settings."""
    found, ballots = {}, {}
    with contextlib.closing(Database(settings.database("owner"), size=1, name=BY)) as db, db.read() as tx:
        for one in ids:
            for chunk in votes.all_choices(tx, one):
                found.update({(one, voter): choice for voter, choice in chunk.items()})
            ballots.update(
                {(one, voter): count for voter, count in synthetic_voters.ballots_per_voter(tx, one).items()}
            )
    return RecordedVotes(found, ballots, _tallies(api, ids))


def ask(
    api: Api, target: Target, voters: Sequence[Voter], ids: Sequence[int], done: Callable[[int], None]
) -> RecordedVotes:
    """The same from `GET /api/me/export` of each voter: only of these, but nothing is needed beside their tokens."""
    found: dict[Key, str] = {}
    ballots: Counter[Key] = Counter()

    def one(voter: Voter) -> None:
        with contextlib.closing(Api(target, voter.token)) as own:
            mine = own.ask("GET", "/api/me/export").json
        found.update({(vote["competition"], voter.id): vote["choice"] for vote in mine["votes"]})
        ballots.update((ballot["competition"], voter.id) for ballot in mine["ballots"])

    for_each(one, voters, done)
    return RecordedVotes(found, dict(ballots), _tallies(api, ids))


def _tallies(api: Api, ids: Sequence[int]) -> dict[int, dict[str, int]]:
    return {one: competitions.tally(api, one) for one in ids}
