"""The end of a safe close (R8): final once every shard is drained to its marker, or by an admin's audited decision."""

from collections.abc import Sequence
from typing import NamedTuple

import structlog

from vote.db import competitions, gaps, shard_positions
from vote.db.gaps import Gap
from vote.db.idempotency_keys import Claim
from vote.db.pool import Database, Tx
from vote.domain import policy
from vote.domain.competition import Competition
from vote.domain.folding import is_visible
from vote.domain.person import Person, actor_of
from vote.errors import Conflict, InvalidInput, NoSuchCompetition, NotAllowed, NotFound

REASON_MAX_CHARS = 2_000
NOTHING_TO_DECIDE = "No decision is needed: the result becomes final automatically once all ballots are recorded."

logger = structlog.get_logger()


class CloseBlockers(NamedTuple):
    """The reasons why a closing competition is not final: undrained shards, open gaps, number of unmatched ballots."""

    undrained: tuple[int, ...]
    gaps: tuple[Gap, ...]
    unmatched: int

    @property
    def needs_admin_decision(self) -> bool:
        """Return whether all shards are drained but ballots may be missing: only an admin can make the tally final
        then.
        """
        return not self.undrained and bool(self.gaps or self.unmatched)

    @property
    def is_none(self) -> bool:
        """Return whether nothing blocks the close."""
        return not (self.undrained or self.gaps or self.unmatched)


def close_blockers(tx: Tx, competition: Competition) -> CloseBlockers:
    """Return what blocks the final tally of a closing competition."""
    markers, shards = shard_positions.markers(tx, competition.id), shard_positions.all_positions(tx)
    return CloseBlockers(
        tuple(shard for shard in shards if markers.get(shard) != competition.rules_version),
        tuple(shard_positions.open_gaps(tx, since=competition.opened_at)),
        shard_positions.count_unmatched(tx, competition.id),
    )


def finish_closing(db: Database, competition_id: int, *, by: str) -> bool:
    """Make the tally final if nothing blocks it. Returns whether the competition is closed now."""
    with db.transaction(by=by) as tx:
        closing = competitions.lock(tx, competition_id)
        if closing is None or closing.state != "closing" or not close_blockers(tx, closing).is_none:
            return False
        _close(tx, closing)
        return True


def finish_over(
    db: Database, competition_id: int, *, by: Person, reason: str, once: Claim | None = None
) -> Competition:
    """Record an admin's decision that the tally is final over gaps or unmatched ballots; kept with the reason, and audited.

    Raises Conflict while ballots are still being recorded, or when no decision is needed.
    """
    check_decision(by, reason, "that the result stands")
    with db.transaction(by=by.id, once=once) as tx:
        closing = competitions.lock(tx, competition_id)
        if closing is None:
            raise NoSuchCompetition
        policy.check_become(closing, "closed")
        blockers = close_blockers(tx, closing)
        if not blockers.needs_admin_decision:
            raise Conflict(NOTHING_TO_DECIDE)
        gaps.insert_decision(
            tx,
            competition_id,
            by=by.id,
            reason=reason,
            gaps=[gap.id for gap in blockers.gaps],
            unmatched=blockers.unmatched,
        )
        _close(tx, closing)
        closed = competitions.find(tx, competition_id)
    assert closed is not None
    logger.warning(
        "result final by decision",
        actor=actor_of(by),
        competition=competition_id,
        gaps=[gap.id for gap in blockers.gaps],
        unmatched=blockers.unmatched,
    )
    return closed


def decide_gap(db: Database, gap_id: int, *, by: Person, reason: str) -> None:
    """Record an admin's decision that a gap was examined: it no longer blocks closes. Audited. Raises NotFound."""
    if not decide_gaps(db, [gap_id], by=by, reason=reason):
        raise NotFound("There is no open gap with this id.")


def decide_gaps(
    db: Database, gap_ids: Sequence[int], *, by: Person, reason: str, once: Claim | None = None
) -> list[int]:
    """Decide several gaps at once. Returns those decided now, without those that another admin has just decided."""
    check_decision(by, reason, "on a gap")
    with db.transaction(by=by.id, once=once) as tx:
        decided = [gap for gap in gap_ids if shard_positions.decide_gap(tx, gap, by=by.id, reason=reason)]
    if decided:
        logger.warning("gaps decided", actor=actor_of(by), gaps=decided)
    return decided


def _close(tx: Tx, closing: Competition) -> None:
    # The version stays: the recorded markers belong to this closing.
    competitions.set_state(
        tx,
        closing.id,
        "closed",
        rules_version=closing.rules_version,
        opens_at=closing.opens_at,
        closes_at=closing.closes_at,
    )


def check_decision(by: Person, reason: str, about: str) -> None:
    """Raise NotAllowed unless an admin decides; InvalidInput for a reason that is empty or too long."""
    if by.role != "admin":
        raise NotAllowed(f"Only an admin can decide {about}.")
    if not (is_visible(reason) and len(reason.strip()) <= REASON_MAX_CHARS):
        raise InvalidInput({"reason": f"Give a reason of at most {REASON_MAX_CHARS:,} characters."})
