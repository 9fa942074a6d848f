"""Makes a cold shard ready (R5): compare (R6), drain to the end, push rules and voters, mark. All under its row lock.

A shard is cold after the first start, a restart, a promotion or a loss of the log; until it is ready it takes no ballot.
"""

from collections.abc import Callable
from enum import Enum

from vote.ballotlog.entries import Rules
from vote.ballotlog.log import BallotLog
from vote.ballotlog.shard import Shard
from vote.db import acknowledged_marks, competitions, shard_lock, shard_positions, votes
from vote.db.pool import Database, Tx
from vote.domain.ballot import shard_of
from vote.worker.drain import ACTOR, has_lost_its_tail, unread

Progressed = Callable[[], None]


def ignore_progress() -> None:
    """Do nothing: the default where no watchdog follows the progress."""


class ReadyStatus(Enum):
    """The result of one step towards a ready shard."""

    BUSY = "another worker holds the shard"
    AGAIN = "something changed meanwhile; try again"
    NEW_EPOCH = "a new epoch began"
    DRAIN = "the shard must be drained first"
    READY = "the shard takes ballots"


def make_ready(
    db: Database,
    log: BallotLog,
    shard: int,
    *,
    may_lack_a_tail: bool = False,
    progressed: Progressed = ignore_progress,
) -> ReadyStatus:
    """Take the next step towards a ready shard. Call it, and drain, until it returns READY.

    `progressed` is called after each part of a long push. `may_lack_a_tail`: another server may have taken this one's
    place, and acknowledgements did not wait for it (R6).
    """
    with db.transaction(by=ACTOR) as tx:
        position = shard_lock.lock_shard(tx, shard)
        if position is None:
            return ReadyStatus.BUSY
        state = log.describe(shard)
        if state.ready:
            return ReadyStatus.READY
        was_promoted = may_lack_a_tail and state.ready_for not in ("", state.instance)
        if not state.epoch or was_promoted or has_lost_its_tail(log, position, state) or _is_behind(tx, log, state):
            status = log.begin_epoch(state)
            return ReadyStatus.NEW_EPOCH if status == "ok" else ReadyStatus.AGAIN
        if position.epoch != state.epoch or unread(log, position, state):
            # The position of a new epoch and its gap row are committed before anything is pushed:
            # a worker that still holds a batch of the old epoch can no longer commit it.
            return ReadyStatus.DRAIN
        return _push_and_mark(tx, log, state, progressed)


def _is_behind(tx: Tx, log: BallotLog, state: Shard) -> bool:
    """Return whether the shard lacks acknowledged ballots, by a web process's finding or by the stored mark (R6)."""
    if state.is_set_back:
        return True
    mark = acknowledged_marks.of_epoch(tx, state.number, state.epoch)
    return mark is not None and log.compare(state.number, mark) == "behind"


def _push_and_mark(tx: Tx, log: BallotLog, state: Shard, progressed: Progressed) -> ReadyStatus:
    known = competitions.known_to_log(tx)
    if shard_positions.is_new_epoch(tx, state.number, state.epoch):
        for competition in known:
            if not _push_voters(tx, log, state, competition.id, progressed):
                return ReadyStatus.AGAIN
    rules = [Rules.from_competition(competition) for competition in known]
    if log.push_rules(log.renewed(state), rules, warming=True).status != "ok":
        return ReadyStatus.AGAIN
    # Forgotten competitions keep their version in a new epoch too, so that older rules that come late are refused (R7).
    if log.forget(log.renewed(state), competitions.forgotten_by_log(tx), warming=True) != "ok":
        return ReadyStatus.AGAIN
    status = log.make_ready(log.renewed(state))
    return ReadyStatus.READY if status == "ok" else ReadyStatus.AGAIN


def _push_voters(tx: Tx, log: BallotLog, state: Shard, competition: int, progressed: Progressed) -> bool:
    for chunk in votes.all_choices(tx, competition):
        progressed()
        choices = {
            voter: choice for voter, choice in chunk.items() if shard_of(competition, voter, log.shards) == state.number
        }
        if choices and log.push_voters(state, competition, choices) != "ok":
            return False
    return True
