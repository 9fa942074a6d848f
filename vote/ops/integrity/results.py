"""What is counted: votes are what the journal says, tallies are the number of votes, and who was erased is blank."""

from collections.abc import Iterable
from itertools import groupby

from vote.db import integrity, reinstatements
from vote.db.integrity import Candidate, Difference
from vote.db.pool import Tx
from vote.domain.ballot import receipt_code
from vote.ops.integrity import journal
from vote.ops.integrity.findings import Findings


def check(tx: Tx, findings: Findings) -> None:
    """Check votes, tallies and people."""
    for different in integrity.votes_unlike_journal(tx):
        findings.add("votes", _vote(different.competition, different.voter), _of_difference(different))
    _check_retired(tx, findings)
    for competition, key, tally, votes in integrity.wrong_tallies(tx):
        findings.add(
            "tallies", f"competition {competition}, option {key}", f"says {tally:,}, and there are {votes:,} votes"
        )
    for reinstatement, said, there in reinstatements.wrong(tx):
        findings.add(
            "journal", f"reinstatement {reinstatement}", f"says {said:,} ballots, and the journal has {there:,} of it"
        )
    for person in integrity.not_blanked(tx):
        findings.add("people", f"user {person.id}", f"is erased and still has: {person.still}")


def _of_difference(different: Difference) -> str:
    row = f"shard {different.shard}, seq {different.seq}, ballot {different.ballot}"
    if different.ballot is None:
        return "has no ballot in the journal"
    if different.counted is None:
        return f"is missing, though the journal has a ballot ({row})"
    if different.counted != different.journal:
        return f"counts for {different.counted}, and by the journal it is {different.journal} ({row})"
    return f"is of {different.counted_at}, and by the journal of {different.journal_at} ({row})"


def _check_retired(tx: Tx, findings: Findings) -> None:
    """Retired rows no longer name the voter; a vote fits when some row of its moment has the digest it would have."""
    keys = integrity.receipt_keys(tx)
    for (competition, voter), candidates in groupby(integrity.retired_votes(tx), key=lambda one: one[:2]):
        receipt = receipt_code(keys[competition], voter)
        if not _any_fits(candidates, receipt):
            findings.add("votes", _vote(competition, voter), "fits no ballot of the journal (retired rows, by digest)")
    for one in integrity.retirements(tx):
        where = f"competition {one.competition}"
        if one.retired != one.audited:
            findings.add(
                "journal", where, f"has {one.retired:,} retired rows, and the audit log speaks of {one.audited:,}"
            )
        if one.votes < one.votes_audited:
            findings.add(
                "votes", where, f"has {one.votes:,} votes, and {one.votes_audited:,} when its journal was retired"
            )


def _any_fits(candidates: Iterable[Candidate], receipt: str) -> bool:
    return any(
        one.row is not None and journal.digest_of(one.row, one.voter, one.choice, receipt) == one.row.digest
        for one in candidates
    )


def _vote(competition: int, voter: int) -> str:
    return f"competition {competition}, user {voter}"
