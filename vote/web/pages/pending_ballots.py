"""What is on its way from the ballot log to PostgreSQL, and what a closing competition waits for."""

from dataclasses import dataclass
from typing import NamedTuple

from vote.actions import closing
from vote.ballotlog.entries import Entry
from vote.db import shard_positions
from vote.db.pool import Tx
from vote.db.shard_positions import OpenGap
from vote.domain.ballot import Ballot
from vote.domain.competition import Competition
from vote.errors import LogUnavailable
from vote.services.container import Services

LOOK_THROUGH = 2_000  # entries of a shard at most, so that a page costs the log some milliseconds and never more


class PendingCount(NamedTuple):
    """Ballots that are accepted and not recorded yet. Where it is not exact there may be fewer, never more."""

    ballots: int
    is_exact: bool


@dataclass(frozen=True, slots=True)
class Waiting:
    """What a closing competition waits for. `pending` is None while the log does not say."""

    pending: PendingCount | None
    gaps: tuple[OpenGap, ...]
    unmatched: int
    needs_admin_decision: bool


def ballots(services: Services, tx: Tx, competition_id: int | None = None) -> PendingCount | None:
    """Ballots of one competition, or of all, that are not recorded yet; None when the log does not say.

    Markers and other entries do not count. Where a shard has more than LOOK_THROUGH entries to go, the rest of them
    count as ballots.
    """
    recorded = shard_positions.all_positions(tx)
    found, is_exact = 0, True
    try:
        for shard in services.log.describe_all():
            known = recorded.get(shard.number)
            done = known.position if known is not None and known.epoch == shard.epoch else 0
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
    """What keeps it from being final; None for one that is not closing."""
    if competition.state != "closing":
        return None
    found = closing.close_blockers(tx, competition)
    return Waiting(ballots(services, tx, competition.id), found.gaps, found.unmatched, found.needs_admin_decision)


def _is_ballot(entry: Entry, competition_id: int | None) -> bool:
    content = entry.content
    return isinstance(content, Ballot) and competition_id in (None, content.competition)
