"""Read what was counted after a load: the public tallies, and each voter's vote, from the database or from the voter's own
data export.
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
    """Each voter's vote, the number of their ballots in the journal, and counts per option by competition."""

    votes: dict[Key, str]
    ballots: dict[Key, int]
    tallies: dict[int, dict[str, int]]


def read(api: Api, settings: Settings, ids: Sequence[int]) -> RecordedVotes:
    """Return the recorded votes of every voter, from the database of these settings."""
    choices, ballots = {}, {}
    with contextlib.closing(Database(settings.database("owner"), size=1, name=BY)) as db, db.read() as tx:
        for competition in ids:
            for chunk in votes.all_choices(tx, competition):
                choices.update({(competition, voter): choice for voter, choice in chunk.items()})
            ballots.update(
                {
                    (competition, voter): count
                    for voter, count in synthetic_voters.ballots_per_voter(tx, competition).items()
                }
            )
    return RecordedVotes(choices, ballots, _tallies(api, ids))


def ask(
    api: Api, target: Target, voters: Sequence[Voter], ids: Sequence[int], done: Callable[[int], None]
) -> RecordedVotes:
    """Return the same from each voter's `GET /api/me/export`: only these voters, but it needs only their tokens."""
    choices: dict[Key, str] = {}
    ballots: Counter[Key] = Counter()

    def read_export(voter: Voter) -> None:
        with contextlib.closing(Api(target, voter.token)) as client:
            export = client.ask("GET", "/api/me/export").json
        choices.update({(vote["competition"], voter.id): vote["choice"] for vote in export["votes"]})
        ballots.update((ballot["competition"], voter.id) for ballot in export["ballots"])

    for_each(read_export, voters, done)
    return RecordedVotes(choices, dict(ballots), _tallies(api, ids))


def _tallies(api: Api, ids: Sequence[int]) -> dict[int, dict[str, int]]:
    return {competition: competitions.tally(api, competition) for competition in ids}
