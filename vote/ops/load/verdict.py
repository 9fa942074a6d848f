"""Whether anything was lost: what voters were told, held against what is counted, in Jepsen's words.

lost: acknowledged, and not counted as it was cast. duplicate: one voter's ballot counted or kept more than once. phantom:
counted, and never cast or refused. A vote without an answer may be there or not.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from vote.ops.load.measurements import ACCEPTED, NO_ANSWER
from vote.ops.load.reconcile import Key, RecordedVotes

UNSURE = 500  # and above: 503 and its like claim nothing, as no answer does


class SentVote(NamedTuple):
    """One vote and the status it was answered with."""

    competition: int
    voter: int
    choice: str
    status: int


class Verdict(NamedTuple):
    """The findings, a sentence each. `settled`: everything accepted was recorded when they were made."""

    settled: bool
    lost: list[str]
    duplicate: list[str]
    phantom: list[str]

    @property
    def is_clean(self) -> bool:
        """Every acknowledged vote is counted once, and nothing else."""
        return self.settled and not (self.lost or self.duplicate or self.phantom)

    def line(self) -> str:
        """The findings in a line."""
        return f"lost {len(self.lost):,}, duplicate {len(self.duplicate):,}, phantom {len(self.phantom):,}"


def judge(cast: Sequence[SentVote], books: RecordedVotes, *, settled: bool) -> Verdict:
    """Hold every vote, and every tally, against the books. Everything in `cast` is one voter's only vote there."""
    verdict = Verdict(settled, [], [], [])
    told = {(one.competition, one.voter): one for one in cast}
    for key, one in told.items():
        _judge_vote(one, books.votes.get(key), verdict)
    for key, choice in books.votes.items():
        if key not in told:
            verdict.phantom.append(f"{_named(key)}: {choice} is counted, and was never cast")
    for key, count in books.ballots.items():
        if count > 1:
            verdict.duplicate.append(f"{_named(key)}: {count} ballots in the journal, for one vote")
    _judge_tallies(cast, books.tallies, verdict)
    return verdict


def _judge_vote(one: SentVote, found: str | None, verdict: Verdict) -> None:
    name = _named((one.competition, one.voter))
    if one.status in ACCEPTED and found != one.choice:
        verdict.lost.append(f"{name}: {one.choice} was acknowledged, {found or 'nothing'} is counted")
    elif found is not None and found != one.choice:
        verdict.phantom.append(f"{name}: {found} is counted, {one.choice} was cast")
    elif found is not None and not _may_count(one):
        verdict.phantom.append(f"{name}: {found} is counted, and was refused with {one.status}")


def _judge_tallies(cast: Sequence[SentVote], tallies: Mapping[int, Mapping[str, int]], verdict: Verdict) -> None:
    least, most = Counter[tuple[int, str]](), Counter[tuple[int, str]]()
    for one in cast:
        least[one.competition, one.choice] += one.status in ACCEPTED
        most[one.competition, one.choice] += _may_count(one)
    shown = Counter({(competition, key): n for competition, counts in tallies.items() for key, n in counts.items()})
    for competition, key in sorted({*shown, *most}):
        place, counted = (competition, key), shown[competition, key]
        says = f"competition {competition}: the tally shows {counted:,} for {key}"
        if counted < least[place]:
            verdict.lost.append(f"{says}, {least[place]:,} were acknowledged")
        elif counted > most[place]:
            verdict.phantom.append(f"{says}, {most[place]:,} can be at most")


def _may_count(one: SentVote) -> bool:
    return one.status in ACCEPTED or one.status == NO_ANSWER or one.status >= UNSURE


def _named(key: Key) -> str:
    return f"competition {key[0]}, voter {key[1]}"
