"""Judge whether votes were lost: compare what voters were told with what is counted, in Jepsen's terms.

lost: acknowledged, but not counted as cast. duplicate: one voter's ballot counted or stored more than once. phantom:
counted, but never cast, or refused. A vote without an answer may count or not.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from vote.ops.load.measurements import ACCEPTED, NO_ANSWER
from vote.ops.load.reconcile import Key, RecordedVotes

UNSURE = 500  # and above: like no answer, 503 leaves open whether the vote counts


class SentVote(NamedTuple):
    """A vote and the status of its answer."""

    competition: int
    voter: int
    choice: str
    status: int


class Verdict(NamedTuple):
    """The findings, a sentence each. `settled`: every accepted ballot was recorded when they were made."""

    settled: bool
    lost: list[str]
    duplicate: list[str]
    phantom: list[str]

    @property
    def is_clean(self) -> bool:
        """Return whether every acknowledged vote is counted once, and nothing else is."""
        return self.settled and not (self.lost or self.duplicate or self.phantom)

    def line(self) -> str:
        """Return a one-line summary."""
        return f"lost {len(self.lost):,}, duplicate {len(self.duplicate):,}, phantom {len(self.phantom):,}"


def judge(cast: Sequence[SentVote], recorded: RecordedVotes, *, settled: bool) -> Verdict:
    """Compare every vote and every tally with the recorded votes. Each entry of `cast` is its voter's only vote there."""
    verdict = Verdict(settled, [], [], [])
    votes = {(vote.competition, vote.voter): vote for vote in cast}
    for key, vote in votes.items():
        _judge_vote(vote, recorded.votes.get(key), verdict)
    for key, choice in recorded.votes.items():
        if key not in votes:
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
    elif counted is not None and not _may_count(vote):
        verdict.phantom.append(f"{name}: {counted} is counted, but was refused with {vote.status}")


def _judge_tallies(cast: Sequence[SentVote], tallies: Mapping[int, Mapping[str, int]], verdict: Verdict) -> None:
    least, most = Counter[tuple[int, str]](), Counter[tuple[int, str]]()
    for vote in cast:
        least[vote.competition, vote.choice] += vote.status in ACCEPTED
        most[vote.competition, vote.choice] += _may_count(vote)
    shown = Counter({(competition, key): n for competition, counts in tallies.items() for key, n in counts.items()})
    for competition, key in sorted({*shown, *most}):
        place, counted = (competition, key), shown[competition, key]
        says = f"competition {competition}: the tally shows {counted:,} for {key}"
        if counted < least[place]:
            verdict.lost.append(f"{says}, {least[place]:,} were acknowledged")
        elif counted > most[place]:
            verdict.phantom.append(f"{says}, at most {most[place]:,} are possible")


def _may_count(vote: SentVote) -> bool:
    return vote.status in ACCEPTED or vote.status == NO_ANSWER or vote.status >= UNSURE


def _named(key: Key) -> str:
    return f"competition {key[0]}, voter {key[1]}"
