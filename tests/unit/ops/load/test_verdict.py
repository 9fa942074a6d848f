"""Lost, duplicate, phantom: each told from the others, and from what an unanswered vote may be."""

import pytest

from vote.ops.load.measurements import Histogram, Measured
from vote.ops.load.plan import Plan
from vote.ops.load.verdict import RecordedVotes, SentVote, Thresholds, Verdict, judge, limits

CAST = [SentVote(1, 7, "a", 202), SentVote(1, 8, "b", 200), SentVote(1, 9, "a", 0), SentVote(1, 10, "a", 409)]
VOTES = {(1, 7): "a", (1, 8): "b"}
TALLY = {1: {"a": 1, "b": 1}}
CLEAN = Verdict(True, [], [], [])


def judged(votes: dict[tuple[int, int], str], tally: dict[int, dict[str, int]], ballots: int = 1) -> Verdict:
    return judge(CAST, RecordedVotes(votes, dict.fromkeys(votes, ballots), tally), settled=True)


@pytest.mark.parametrize("unanswered", [{}, {(1, 9): "a"}], ids=["not stored", "stored"])
def test_a_vote_without_an_answer_may_be_there_or_not(unanswered: dict[tuple[int, int], str]) -> None:
    verdict = judged(VOTES | unanswered, {1: {"a": 1 + len(unanswered), "b": 1}})

    assert verdict == CLEAN
    assert verdict.line() == "lost 0, duplicate 0, phantom 0"


def test_an_acknowledged_vote_that_is_not_counted_is_lost() -> None:
    assert judged({(1, 7): "a"}, TALLY).lost == ["competition 1, voter 8: b was acknowledged, nothing is counted"]


def test_an_acknowledged_vote_counted_for_another_option_is_lost() -> None:
    assert judged({(1, 7): "b", (1, 8): "b"}, TALLY).lost == [
        "competition 1, voter 7: a was acknowledged, b is counted"
    ]


def test_a_tally_that_shows_less_than_was_acknowledged_is_a_loss() -> None:
    verdict = judged(VOTES, {1: {"a": 0, "b": 1}})

    assert verdict.lost == ["competition 1: the tally shows 0 for a, 1 were acknowledged"]


def test_a_tally_that_shows_more_than_can_be_is_a_phantom() -> None:
    assert judged(VOTES, {1: {"a": 3, "b": 1}}).phantom == [
        "competition 1: the tally shows 3 for a, at most 2 are possible"
    ]


def test_a_refused_vote_and_one_that_nobody_cast_are_phantoms_when_they_count() -> None:
    verdict = judged(VOTES | {(1, 10): "a", (1, 99): "b"}, TALLY)

    assert verdict.phantom == [
        "competition 1, voter 10: a is counted, but was refused with 409",
        "competition 1, voter 99: b is counted, but was never cast",
    ]


def test_a_second_ballot_in_the_journal_is_a_duplicate() -> None:
    assert len(judged(VOTES, TALLY, ballots=2).duplicate) == 2


def test_books_that_did_not_settle_prove_nothing() -> None:
    verdict = judge([], RecordedVotes({}, {}, {}), settled=False)

    assert [row.what for row in limits(Thresholds(), measured(0.1), None, None, verdict) if not row.is_met] == [
        "competitions not settled at the deadline"
    ]


def measured(seconds: float, status: int = 202) -> Measured:
    found = Measured(Plan(votes=10, rate=10, users=10, connections=1))
    for vote in range(10):
        found.note(vote, status, due=vote, sent=vote, now=vote + seconds)
    return found


@pytest.mark.parametrize(
    ("what", "load", "database_s", "verdict"),
    [
        (None, measured(0.4), 0.01, CLEAN),
        ("a vote, median", measured(0.6), 0.01, CLEAN),
        ("a vote, p99", measured(2.2), 0.01, CLEAN),
        ("votes not acknowledged", measured(0.4, status=503), 0.01, CLEAN),
        ("votes not acknowledged", measured(0.4, status=0), 0.01, CLEAN),
        ("the database meanwhile, p99", measured(0.4), 0.2, CLEAN),
        ("lost", measured(0.4), 0.01, CLEAN._replace(lost=["one"])),
        ("duplicate", measured(0.4), 0.01, CLEAN._replace(duplicate=["one"])),
        ("phantom", measured(0.4), 0.01, CLEAN._replace(phantom=["one"])),
        ("competitions not settled at the deadline", measured(0.4), 0.01, CLEAN._replace(settled=False)),
    ],
)
def test_each_limit_fails_the_load_by_itself(
    what: str | None, load: Measured, database_s: float, verdict: Verdict
) -> None:
    database = Histogram()
    database.add(database_s)

    rows = limits(Thresholds(), load, database, None, verdict)

    missed = {row.what for row in rows if not row.is_met}
    assert what in missed if what else not missed


def test_a_quick_refusal_is_no_quick_vote_and_silence_counts_as_slow() -> None:
    assert measured(0.001, status=503).latency.count == 0
    assert measured(5, status=0).latency.percentile_ms(0.5) >= 5_000
