"""Counts ballots between log and PostgreSQL, and tells what a closing competition waits for."""

from dataclasses import dataclass
from typing import NamedTuple

from vote.actions import closing
from vote.ballotlog.entries import Entry
from vote.db import shard_positions
from vote.db.gaps import Gap
from vote.db.pool import Tx
from vote.domain.ballot import Ballot
from vote.domain.competition import Competition
from vote.errors import LogUnavailable
from vote.services.container import Services
from vote.services.recording_lag import recorded_position

LOOK_THROUGH = 2_000  # entries per shard, so that a page costs the log a few milliseconds at most


class PendingCount(NamedTuple):
    """The number of accepted ballots that are not recorded yet. If not exact, there may be fewer, never more."""

    ballots: int
    is_exact: bool


@dataclass(frozen=True, slots=True)
class Waiting:
    """Everything that a closing competition waits for. `pending` is None while the log does not answer."""

    pending: PendingCount | None
    gaps: tuple[Gap, ...]
    unmatched: int
    needs_admin_decision: bool


def ballots(services: Services, tx: Tx, competition_id: int | None = None) -> PendingCount | None:
    """Return the unrecorded ballots of one competition, or of all; None if the log does not answer.

    Markers and other entries do not count. In a shard with more than LOOK_THROUGH unread entries, all the others count
    as ballots.
    """
    recorded = shard_positions.all_positions(tx)
    found, is_exact = 0, True
    try:
        for shard in services.log.describe_all():
            done = recorded_position(shard, recorded)
            if shard.last <= done:
                continue
            entries = services.log.read_after(shard.number, done, LOOK_THROUGH)
            found += sum(_is_ballot(entry, competition_id) for entry in entries)
            if len(entries) == LOOK_THROUGH and entries[-1].position < shard.last:
                found += shard.last - entries[-1].position
                is_exact = False
    except LogUnavailable:
        return None
    return PendingCount(found, is_exact)


def waiting(services: Services, tx: Tx, competition: Competition) -> Waiting | None:
    """Return what keeps the competition from being final; None if it is not closing."""
    if competition.state != "closing":
        return None
    found = closing.close_blockers(tx, competition)
    return Waiting(ballots(services, tx, competition.id), found.gaps, found.unmatched, found.needs_admin_decision)


def _is_ballot(entry: Entry, competition_id: int | None) -> bool:
    content = entry.content
    return isinstance(content, Ballot) and competition_id in (None, content.competition)
