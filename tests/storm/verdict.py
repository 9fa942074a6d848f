"""Compares what people were told with what the books say: lost, duplicate, phantom, tally mismatch."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from typing import NamedTuple

import psycopg

from tests.storm.people import Ticket
from tests.storm.recorder import Attempt

Key = tuple[int, int]


class Books(NamedTuple):
    """What PostgreSQL holds at the end."""

    votes: Mapping[Key, str]
    ballots: Mapping[Key, int]
    tallies: Mapping[int, Mapping[str, int]]
    gaps: int
    unmatched: int
    rejected: int


class Verdict(NamedTuple):
    """The finding, with the first examples of each fault."""

    attempts: int
    outcomes: Mapping[str, int]
    unsure: int
    lost: list[str]
    duplicate: list[str]
    phantom: list[str]
    mismatch: list[str]

    @property
    def is_clean(self) -> bool:
        """Nothing was lost, counted twice, or counted without having been stored; and everybody knows."""
        return not (self.lost or self.duplicate or self.phantom or self.mismatch or self.unsure)

    def line(self) -> str:
        """The verdict in one line."""
        return (
            f"lost {len(self.lost)}, duplicate {len(self.duplicate)}, phantom {len(self.phantom)}, "
            f"tally mismatch {len(self.mismatch)}, unsure at the end {self.unsure}"
        )


def read_books(url: str, only: int | None = None) -> Books:
    """The books, read whole; or those of one competition."""
    which = "" if only is None else f" WHERE competition_id = {only}"
    with psycopg.connect(url) as connection:
        votes = {
            (c, u): choice
            for c, u, choice in connection.execute(f"SELECT competition_id, user_id, choice FROM votes{which}")
        }
        ballots = {
            (c, u): n
            for c, u, n in connection.execute(
                f"SELECT competition_id, user_id, count(*) FROM ballots{which} GROUP BY 1, 2"
            )
        }
        tallies: dict[int, dict[str, int]] = defaultdict(dict)
        query = f"SELECT competition_id, option_key, sum(votes)::bigint FROM tallies{which} GROUP BY 1, 2"
        for competition, key, count in connection.execute(query):
            tallies[competition][key] = count
        aside = [
            connection.execute(f"SELECT count(*) FROM {table}").fetchone()
            for table in ("log_gaps", "unmatched_ballots", "rejected_ballots")
        ]
    return Books(votes, ballots, tallies, *(row[0] if row else 0 for row in aside))


def judge(attempts: Iterable[Attempt], tickets: Iterable[Ticket], books: Books) -> Verdict:
    """Hold every voter's attempts against the books."""
    told: dict[Key, list[Attempt]] = defaultdict(list)
    outcomes: Counter[str] = Counter()
    for attempt in attempts:
        told[attempt.competition, attempt.voter].append(attempt)
        outcomes[attempt.outcome] += 1
    verdict = Verdict(outcomes.total(), outcomes, 0, [], [], [], [])
    unsure = 0
    for ticket in tickets:
        key = ticket.competition, ticket.voter
        mine = sorted(told[key], key=lambda attempt: attempt.number)
        unsure += not mine or mine[-1].outcome == "info"
        _judge_voter(ticket, mine, books, verdict)
    for competition, counts in books.tallies.items():
        real = Counter(choice for (one, _), choice in books.votes.items() if one == competition)
        if {key: n for key, n in counts.items() if n} != dict(real):
            verdict.mismatch.append(f"competition {competition}: tally {dict(counts)}, votes {dict(real)}")
    return verdict._replace(unsure=unsure)


def _judge_voter(ticket: Ticket, mine: list[Attempt], books: Books, verdict: Verdict) -> None:
    key = ticket.competition, ticket.voter
    vote, stored = books.votes.get(key), [attempt for attempt in mine if attempt.outcome == "ok"]
    if stored and vote not in _allowed(ticket, mine, stored):
        verdict.lost.append(f"{key}: the vote is {vote}, told {[(a.choice, a.status) for a in mine]}")
    if not ticket.may_change and books.ballots.get(key, 0) > 1:
        verdict.duplicate.append(f"{key}: {books.ballots[key]} ballots, told {[(a.choice, a.status) for a in mine]}")
    if vote is not None and vote not in {a.choice for a in mine if a.outcome != "fail"}:
        verdict.phantom.append(f"{key}: {vote} counts, told {[(a.choice, a.status) for a in mine]}")


def _allowed(ticket: Ticket, mine: list[Attempt], stored: list[Attempt]) -> set[str]:
    """The choices that may be the vote: the first or last acknowledged one; or an unanswered one after it where change
    is allowed. Where it is not, whatever was acknowledged was the first that was stored."""
    if not ticket.may_change:
        return {stored[0].choice} if len({attempt.choice for attempt in stored}) == 1 else set()
    last = stored[-1]
    later = {attempt.choice for attempt in mine if attempt.number > last.number and attempt.outcome == "info"}
    return {last.choice} | later
