"""Unmatched ballots whose voter, competition and option are there again count by an admin's word (R9).

The admin asks; a worker does it, as it records everything else: under the lock of the ballots' shard, journal, votes, tally
and the unmatched row in one transaction. A ballot keeps its own id, so a second time changes nothing.
"""

from itertools import groupby

from vote.actions.closing import check_reason
from vote.actions.recording import append, count
from vote.db import competitions, positions, reinstatements
from vote.db.pool import Database, Tx
from vote.db.positions import Position
from vote.db.reinstatements import Reinstatement
from vote.domain.ballot import receipt_code
from vote.domain.person import Person
from vote.errors import Conflict, NoSuchCompetition, NotAllowed


def ask(db: Database, competition_id: int, *, by: Person, reason: str) -> int:
    """An admin's word that the unmatched ballots of a competition count as far as they match now, also in a final tally.

    Kept with the reason, and audited. Returns how many match. Raises Conflict when none does.
    """
    if by.role != "admin":
        raise NotAllowed("Only an admin may decide that ballots count which were set aside.")
    check_reason(reason)
    with db.transaction(by=by.id) as tx:
        if competitions.lock(tx, competition_id) is None:
            raise NoSuchCompetition
        matching = reinstatements.count_matching(tx, competition_id)
        if not matching:
            raise Conflict(
                "None of its ballots that are set aside can count now: their voter or option is not known, or the voter has"
                " a recorded vote."
            )
        reinstatements.insert(tx, competition_id, by=by.id, reason=reason)
    return matching


def run_pending(db: Database, *, by: str) -> dict[int, int]:
    """Do what was asked for. Returns {competition: ballots that count now}, for each that is done.

    A shard that another worker holds at this moment is left to the next time.
    """
    with db.read() as tx:
        asked = reinstatements.pending(tx)
        shards = list(positions.all_positions(tx)) if asked else []
    done: dict[int, int] = {}
    for one in asked:
        if all([_reinstate_shard(db, one, shard, by=by) for shard in shards]):
            with db.transaction(by=by) as tx:
                done[one.competition] = reinstatements.finish(tx, one.id)
    return done


def _reinstate_shard(db: Database, pending: Reinstatement, shard: int, *, by: str) -> bool:
    """True when nothing of the shard is left to do; False when it could not be locked."""
    while True:
        with db.transaction(by=by) as tx:
            position = positions.lock_shard(tx, shard)
            if position is None:
                return False
            if not _reinstate_some(tx, pending, position):
                return True


def _reinstate_some(tx: Tx, pending: Reinstatement, position: Position) -> bool:
    competition = competitions.lock(tx, pending.competition)
    assert competition is not None, "competitions are never deleted"
    found = reinstatements.matching(tx, pending.competition, position.shard)
    for epoch, group in groupby(found, key=lambda one: one.epoch):
        placed = [
            one.placed._replace(receipt=receipt_code(competition.receipt_key, one.placed.ballot.voter)) for one in group
        ]
        head = append(tx, position, epoch, placed, reinstatement=pending.id)
        position = position._replace(recorded=head.seq, chain=head.chain)
    count(tx, position.shard, [one.placed.ballot for one in found], {competition.id: competition})
    reinstatements.forget_recorded(tx, pending.competition, position.shard)
    if found:
        positions.advance(tx, position)
        if competition.state in ("closed", "archived"):
            competitions.count_up(tx, competition.id)
    return bool(found)
