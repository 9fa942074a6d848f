"""Verify the results: votes match the journal, tallies match the votes, and erased accounts are blank."""

from collections.abc import Iterable
from itertools import groupby

from vote.db import integrity, reinstatements
from vote.db.integrity import Candidate, Difference
from vote.db.pool import Tx
from vote.domain.receipt import receipt_code
from vote.ops.integrity import journal
from vote.ops.integrity.findings import Findings


def check(tx: Tx, findings: Findings) -> None:
    """Check votes, tallies, reinstatements and erased accounts."""
    for different in integrity.votes_unlike_journal(tx):
        findings.add("votes", _vote(different.competition, different.voter), _vote_problem(different))
    _check_retired(tx, findings)
    for competition, key, tally, votes in integrity.wrong_tallies(tx):
        findings.add(
            "tallies", f"competition {competition}, option {key}", f"says {tally:,}, but there are {votes:,} votes"
        )
    for reinstatement, expected, actual in reinstatements.wrong(tx):
        findings.add(
            "journal", f"reinstatement {reinstatement}", f"says {expected:,} ballots, but the journal has {actual:,}"
        )
    for person in integrity.not_blanked(tx):
        findings.add("people", f"user {person.id}", f"is erased but still has: {person.still}")


def _vote_problem(different: Difference) -> str:
    row = f"shard {different.shard}, seq {different.seq}, ballot {different.ballot}"
    if different.ballot is None:
        return "has no ballot in the journal"
    if different.counted is None:
        return f"is missing, but the journal has a ballot ({row})"
    if different.counted != different.journal:
        return f"counts for {different.counted}, but the journal says {different.journal} ({row})"
    return f"has time {different.counted_at}, but the journal says {different.journal_at} ({row})"


def _check_retired(tx: Tx, findings: Findings) -> None:
    """Check votes of retired rows. These no longer name the voter, so a vote fits if a row of its moment has the digest that
    the vote's ballot would have.
    """
    keys = integrity.receipt_keys(tx)
    for (competition, voter), candidates in groupby(integrity.retired_votes(tx), key=lambda vote: vote[:2]):
        receipt = receipt_code(keys[competition], voter)
        if not _any_fits(candidates, receipt):
            findings.add("votes", _vote(competition, voter), "fits no ballot of the journal (retired rows, by digest)")
    for row in integrity.retirements(tx):
        where = f"competition {row.competition}"
        if row.retired != row.audited:
            findings.add("journal", where, f"has {row.retired:,} retired rows, but the audit log says {row.audited:,}")
        if row.votes < row.votes_audited:
            findings.add(
                "votes", where, f"has {row.votes:,} votes, but had {row.votes_audited:,} when its journal was retired"
            )


def _any_fits(candidates: Iterable[Candidate], receipt: str) -> bool:
    return any(
        candidate.row is not None
        and journal.digest_of(candidate.row, candidate.voter, candidate.choice, receipt) == candidate.row.digest
        for candidate in candidates
    )


def _vote(competition: int, voter: int) -> str:
    return f"competition {competition}, user {voter}"
