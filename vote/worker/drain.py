"""Records one batch of one shard: lock its row, read after its position, write everything, commit (R4).

After a crash before the commit the batch is repeated; after a crash behind it nothing is left to do.
"""

import time
from typing import NamedTuple

import structlog

from vote.actions.recording import Recorded, record_entries
from vote.ballotlog.entries import Entry
from vote.ballotlog.log import BallotLog
from vote.ballotlog.shard import Shard
from vote.db import shard_lock
from vote.db.pool import Database
from vote.db.shard_positions import Position
from vote.domain.ballot import Ballot
from vote.metrics.worker import RECORDED_DELAY

BATCH_ENTRIES = 2_000  # about 100 ms of work under the shard's lock
ACTOR = "worker"

logger = structlog.get_logger()


class Batch(NamedTuple):
    """The entries that one transaction recorded: after position `after`, up to and including `last`.

    `oldest_ms`: time of its oldest ballot. `more`: the shard held at least a full batch.
    """

    shard: int
    epoch: str
    after: int
    last: int
    recorded: Recorded
    seconds: float
    oldest_ms: int | None
    more: bool


def drain(db: Database, log: BallotLog, shard: int) -> Batch | None:
    """Record the next batch of a shard. Returns None if there is nothing new or another worker holds the shard."""
    began = time.perf_counter()
    with db.transaction(by=ACTOR) as tx:
        position = shard_lock.lock_shard(tx, shard)
        if position is None:
            return None
        state, described_at = log.describe(shard), time.monotonic()
        if not state.epoch or state.is_set_back or (not state.ready and has_lost_its_tail(log, position, state)):
            return None  # nothing here can be trusted before a new epoch begins (make_ready.py)
        entries = unread(log, position, state)
        if has_hole(position, state, entries):
            log.begin_epoch(state)
            logger.error("log entries missing", shard=shard, after=position.position, next=entries[0].position)
            return None
        if not entries and position.epoch == state.epoch:
            return None
        if entries:
            log.wait_for_replicas(shard, entries[-1].position)
        # A shard that was set back may have grown and been recorded again before that was noticed (R6).
        doubted_from = 0 if state.set_back == position.epoch else position.position
        recorded = record_entries(tx, position, epoch=state.epoch, entries=entries, doubted_from=doubted_from)
    _observe_delays(entries, state.now_ms / 1000 + time.monotonic() - described_at)
    last = entries[-1].position if entries else 0
    return Batch(
        shard=shard,
        epoch=state.epoch,
        after=position.position,
        last=last,
        recorded=recorded,
        seconds=time.perf_counter() - began,
        oldest_ms=_oldest_ms(entries),
        more=len(entries) == BATCH_ENTRIES,
    )


def _observe_delays(entries: list[Entry], committed_at: float) -> None:
    """Measure how long each ballot waited until this commit, on the log's clock, which stamped the ballot."""
    RECORDED_DELAY.observe_all(
        max(0.0, committed_at - entry.content.cast_at.timestamp())
        for entry in entries
        if isinstance(entry.content, Ballot)
    )


def has_lost_its_tail(log: BallotLog, position: Position, state: Shard) -> bool:
    """Return whether the entry at the stored position is not the one that was recorded there (R6)."""
    if position.epoch != state.epoch or position.position == 0:
        return False
    entry = log.entry_at(state.number, position.position)
    return entry is None or (position.last_entry is not None and entry.id != position.last_entry)


def has_hole(position: Position, state: Shard, entries: list[Entry]) -> bool:
    """Return whether entries before these are gone, because PostgreSQL was restored to a time before the trim (R9)."""
    return position.epoch == state.epoch and bool(entries) and entries[-1].position - position.position != len(entries)


def unread(log: BallotLog, position: Position, state: Shard) -> list[Entry]:
    """Return the next entries of a locked shard; another epoch is read from its start (R5)."""
    after = position.position if position.epoch == state.epoch else 0
    return log.read_after(state.number, after, BATCH_ENTRIES)


def _oldest_ms(entries: list[Entry]) -> int | None:
    for entry in entries:
        if isinstance(entry.content, Ballot):
            return int(entry.content.cast_at.timestamp() * 1000)
    return None
