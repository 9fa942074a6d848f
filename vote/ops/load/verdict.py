"""Judge a load: read what was counted, compare it with what voters were told, and hold every figure against its limit.

In Jepsen's terms: lost: acknowledged, but not counted as cast. duplicate: one voter's ballot counted or stored more than
once. phantom: counted, but never cast, or refused. A vote without an answer may count or not.
"""

import contextlib
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from vote.config import Settings
from vote.db import synthetic_voters, votes
from vote.db.pool import Database
from vote.ops.load import provisioning, target
from vote.ops.load.client import NO_ANSWER
from vote.ops.load.measurements import ACCEPTED, Histogram, Measured, Steps, percentile_ms
from vote.ops.load.provisioning import Voter
from vote.ops.load.target import Api, Target

UNSURE = 500  # and above: like no answer, 503 leaves open whether the vote counts

Key = tuple[int, int]  # competition, user id


class SentVote(NamedTuple):
    """A vote and the status of its answer."""

    competition: int
    voter: int
    choice: str
    status: int

    @property
    def may_count(self) -> bool:
        """Return whether it may be counted."""
        return self.status in ACCEPTED or self.status == NO_ANSWER or self.status >= UNSURE


class RecordedVotes(NamedTuple):
    """Each voter's vote, the number of their ballots in the journal, and counts per option by competition."""

    votes: dict[Key, str]
    ballots: dict[Key, int]
    tallies: dict[int, dict[str, int]]


class Verdict(NamedTuple):
    """The findings, a sentence each. `settled`: every accepted ballot was recorded when they were made."""

    settled: bool
    lost: list[str]
    duplicate: list[str]
    phantom: list[str]

    def line(self) -> str:
        """Return a one-line summary."""
        return f"lost {len(self.lost):,}, duplicate {len(self.duplicate):,}, phantom {len(self.phantom):,}"


class Thresholds(NamedTuple):
    """Upper limits: milliseconds, and the number of votes not acknowledged. The defaults are the production checklist's."""

    median_ms: float = 500
    p99_ms: float = 2_000
    database_ms: float = 100
    failed: int = 0


class Row(NamedTuple):
    """A limit and the measured value."""

    what: str
    limit: float
    measured: float
    unit: str = ""

    @property
    def is_met(self) -> bool:
        """Return whether the value is within the limit, or at it."""
        return self.measured <= self.limit

    def cells(self) -> tuple[str, str, str, str]:
        """Return name, value, limit, and ok or missed, as text."""
        value, limit = (f"{figure:,.0f} {self.unit}".strip() for figure in (self.measured, self.limit))
        return self.what, value, limit, "ok" if self.is_met else "missed"


def read_recorded(api: Api, settings: Settings, ids: Sequence[int]) -> RecordedVotes:
    """Return what was counted in these competitions: tallies as people see them, votes from the database."""
    recorded = RecordedVotes({}, {}, {one: provisioning.tally(api, one) for one in ids})
    with contextlib.closing(Database(settings.database("owner"), size=1, name=provisioning.BY)) as db, db.read() as tx:
        for competition in ids:
            for chunk in votes.all_choices(tx, competition):
                recorded.votes.update({(competition, voter): choice for voter, choice in chunk.items()})
            for voter, count in synthetic_voters.ballots_per_voter(tx, competition).items():
                recorded.ballots[competition, voter] = count
    return recorded


def ask_voters(api: Api, aim: Target, voters: Sequence[Voter], ids: Sequence[int], *, quiet: bool) -> RecordedVotes:
    """Return the same from each voter's `GET /api/me/export`: only these voters, but it needs only their tokens."""
    choices, ballots = dict[Key, str](), Counter[Key]()

    def read_export(voter: Voter) -> None:
        export = target.ask(aim, "GET", "/api/me/export", token=voter.token).json
        choices.update({(vote["competition"], voter.id): vote["choice"] for vote in export["votes"]})
        ballots.update((ballot["competition"], voter.id) for ballot in export["ballots"])

    provisioning.for_each("Asking every voter", read_export, voters, quiet=quiet)
    return RecordedVotes(choices, ballots, {one: provisioning.tally(api, one) for one in ids})


def judge(cast: Sequence[SentVote], recorded: RecordedVotes, *, settled: bool) -> Verdict:
    """Compare every vote and every tally with the recorded votes. Each entry of `cast` is its voter's only vote there."""
    verdict = Verdict(settled, [], [], [])
    sent = {(vote.competition, vote.voter): vote for vote in cast}
    for key, vote in sent.items():
        _judge_vote(vote, recorded.votes.get(key), verdict)
    for key, choice in recorded.votes.items():
        if key not in sent:
            verdict.phantom.append(f"{_named(key)}: {choice} is counted, but was never cast")
    for key, count in recorded.ballots.items():
        if count > 1:
            verdict.duplicate.append(f"{_named(key)}: {count} ballots in the journal for one vote")
    _judge_tallies(cast, recorded.tallies, verdict)
    return verdict


def _judge_vote(vote: SentVote, counted: str | None, verdict: Verdict) -> None:
    name = _named((vote.competition, vote.voter))
    if vote.status in ACCEPTED and counted != vote.choice:
        verdict.lost.append(f"{name}: {vote.choice} was acknowledged, {counted or 'nothing'} is counted")
    elif counted is not None and counted != vote.choice:
        verdict.phantom.append(f"{name}: {counted} is counted, {vote.choice} was cast")
    elif counted is not None and not vote.may_count:
        verdict.phantom.append(f"{name}: {counted} is counted, but was refused with {vote.status}")


def _judge_tallies(cast: Sequence[SentVote], tallies: Mapping[int, Mapping[str, int]], verdict: Verdict) -> None:
    least, most = Counter[tuple[int, str]](), Counter[tuple[int, str]]()
    for vote in cast:
        least[vote.competition, vote.choice] += vote.status in ACCEPTED
        most[vote.competition, vote.choice] += vote.may_count
    shown = Counter({(competition, key): n for competition, counts in tallies.items() for key, n in counts.items()})
    for competition, key in sorted({*shown, *most}):
        place, counted = (competition, key), shown[competition, key]
        says = f"competition {competition}: the tally shows {counted:,} for {key}"
        if counted < least[place]:
            verdict.lost.append(f"{says}, {least[place]:,} were acknowledged")
        elif counted > most[place]:
            verdict.phantom.append(f"{says}, at most {most[place]:,} are possible")


def _named(key: Key) -> str:
    return f"competition {key[0]}, voter {key[1]}"


def limits(
    upper: Thresholds, measured: Measured, database: Histogram | None, exchanges: Steps | None, verdict: Verdict
) -> list[Row]:
    """Return every limit with its value. `database` and `exchanges` are None where they could not be measured."""
    rows = [
        Row("votes not acknowledged", upper.failed, measured.failed),
        Row("a vote, median", upper.median_ms, measured.latency.percentile_ms(0.50), "ms"),
        Row("a vote, p99", upper.p99_ms, measured.latency.percentile_ms(0.99), "ms"),
    ]
    if database is not None:
        rows.append(Row("the database meanwhile, p99", upper.database_ms, database.percentile_ms(0.99), "ms"))
    if exchanges is not None:
        slowest = percentile_ms(exchanges, 0.99)
        rows.append(Row("the database for the web, p99 at most", upper.database_ms, slowest, "ms"))
    return [
        *rows,
        Row("competitions not settled at the deadline", 0, int(not verdict.settled)),
        Row("lost", 0, len(verdict.lost)),
        Row("duplicate", 0, len(verdict.duplicate)),
        Row("phantom", 0, len(verdict.phantom)),
    ]
