"""Counts unmatched ballots whose voter, competition and option exist again, by an admin's decision (R9).

The admin asks; a worker does it like all recording: under the lock of the ballots' shard, with journal, votes, tally
and the unmatched row in one transaction. A ballot keeps its own id, so a second run changes nothing.
"""

from itertools import groupby

import structlog

from vote.actions.closing import check_decision
from vote.actions.recording import append, count
from vote.db import competitions, reinstatements, shard_lock, shard_positions
from vote.db.pool import Database, Tx
from vote.db.reinstatements import Reinstatement
from vote.db.shard_positions import Position
from vote.domain.person import Person, actor_of
from vote.domain.receipt import receipt_code
from vote.errors import Conflict, NoSuchCompetition

logger = structlog.get_logger()


def ask(db: Database, competition_id: int, *, by: Person, reason: str) -> int:
    """Record an admin's decision that a competition's unmatched ballots count where they match now, also in a final tally.

    Kept with the reason, and audited. Returns how many match. Raises Conflict when none does.
    """
    check_decision(by, reason, "that ballots set aside are counted")
    with db.transaction(by=by.id) as tx:
        if competitions.lock(tx, competition_id) is None:
            raise NoSuchCompetition
        matching = reinstatements.count_matching(tx, competition_id)
        if not matching:
            raise Conflict(
                "None of the ballots set aside can be counted: their voter or option is unknown, or the voter already has"
                " a recorded vote."
            )
        reinstatements.insert(tx, competition_id, by=by.id, reason=reason)
    logger.warning("reinstatement decided", actor=actor_of(by), competition=competition_id, ballots=matching)
    return matching


def run_pending(db: Database, *, by: str) -> dict[int, int]:
    """Carry out pending reinstatements. Returns {competition: ballots that count now} for each one finished.

    A shard that another worker holds is left for the next call.
    """
    with db.read() as tx:
        pending = reinstatements.pending(tx)
        shards = list(shard_positions.all_positions(tx)) if pending else []
    done: dict[int, int] = {}
    for reinstatement in pending:
        if all([_reinstate_shard(db, reinstatement, shard, by=by) for shard in shards]):
            with db.transaction(by=by) as tx:
                done[reinstatement.competition] = reinstatements.finish(tx, reinstatement.id)
    return done


def _reinstate_shard(db: Database, pending: Reinstatement, shard: int, *, by: str) -> bool:
    """Return True when nothing is left to do in the shard; False when it could not be locked."""
    while True:
        with db.transaction(by=by) as tx:
            position = shard_lock.lock_shard(tx, shard)
            if position is None:
                return False
            if not _reinstate_some(tx, pending, position):
                return True


def _reinstate_some(tx: Tx, pending: Reinstatement, position: Position) -> bool:
    competition = competitions.lock(tx, pending.competition)
    assert competition is not None, "competitions are never deleted"
    matching = reinstatements.matching(tx, pending.competition, position.shard)
    for epoch, group in groupby(matching, key=lambda row: row.epoch):
        entries = [
            row.entry._replace(receipt=receipt_code(competition.receipt_key, row.entry.ballot.voter)) for row in group
        ]
        head = append(tx, position, epoch, entries, reinstatement=pending.id)
        position = position._replace(recorded=head.seq, chain=head.chain)
    count(tx, position.shard, [row.entry.ballot for row in matching], {competition.id: competition})
    reinstatements.forget_recorded(tx, pending.competition, position.shard)
    if matching:
        shard_lock.advance(tx, position)
        if competition.state in ("closed", "archived"):
            competitions.count_up(tx, competition.id)
    return bool(matching)
