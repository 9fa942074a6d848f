"""The end of every run: what voters were told and what PostgreSQL counts are compared, vote by vote."""

from collections import Counter
from typing import NamedTuple

from bench.ground import Ground
from bench.load import Answers
from vote.db import tallies


class Verdict(NamedTuple):
    """`in_doubt` voters got no answer or a 503: their ballots may be there or not. Lost and extra must be 0."""

    acknowledged: int
    recorded: int
    in_doubt: int
    lost: int
    extra: int
    wrong_tallies: int

    @property
    def holds(self) -> bool:
        """Whether every promise was kept."""
        return not (self.lost or self.extra or self.wrong_tallies)


class Acknowledged:
    """What voters were told, per competition."""

    def __init__(self) -> None:
        self._stored: dict[int, dict[int, str]] = {}
        self._in_doubt: dict[int, set[int]] = {}

    def add_all(self, competition: int, stored: dict[int, str]) -> None:
        """Every one of these was acknowledged."""
        self._stored[competition] = stored

    def add(self, competition: int, answers: Answers) -> None:
        """The answers of a job."""
        self._stored[competition] = answers.stored()
        self._in_doubt[competition] = answers.in_doubt()

    @property
    def total(self) -> int:
        """How many were acknowledged."""
        return sum(len(stored) for stored in self._stored.values())

    def check(self, ground: Ground) -> Verdict:
        """Compare with votes, journal and tallies, once everything is recorded."""
        verdicts = [self._check(ground, competition) for competition in self._stored]
        return Verdict(*(sum(column) for column in zip(*verdicts, strict=True)))

    def _check(self, ground: Ground, competition: int) -> Verdict:
        stored, in_doubt = self._stored[competition], self._in_doubt.get(competition, set())
        with ground.owner.read() as tx:
            query = "SELECT user_id, choice FROM votes WHERE competition_id = %s"
            votes = dict(tx.execute(query, (competition,)).fetchall())
            query = "SELECT user_id FROM ballots WHERE competition_id = %s"
            journal = Counter(row[0] for row in tx.execute(query, (competition,)))
            tally = tallies.read(tx, [competition])[competition]
        counted = {key: count for key, count in tally.counts.items() if count}
        return Verdict(
            acknowledged=len(stored),
            recorded=len(votes),
            in_doubt=len(in_doubt),
            lost=sum(votes.get(voter) != choice or voter not in journal for voter, choice in stored.items()),
            extra=len(votes.keys() - stored.keys() - in_doubt) + sum(count > 1 for count in journal.values()),
            wrong_tallies=int(counted != dict(Counter(votes.values()))),
        )
