"""Changes a competition only if nobody has voted in it, while ballots are being accepted.

Checking recorded votes is not enough: accepted ballots wait in the log, and another may be accepted after the check. So:

1. Check both stores; usually they have ballots, and no voter is disturbed.
2. Hold: PostgreSQL notes that the log takes no ballots for this competition, and every shard gets those rules. Voters get
   503. Only one hold at a time: a second one waits, at most WAIT_S, and starts from the state that the first one left.
3. Check again. Under the hold's version the shards' answers can no longer change.
4. Act, in a transaction that checks that the hold's version is current; the new version ends the hold. Otherwise release it.

A process that dies in between leaves a hold that ends after HOLD_S; the worker releases it (`release_overdue`).
"""

import time
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any, TypeVar

from vote.ballotlog.entries import Rules
from vote.ballotlog.log import BallotLog
from vote.db import ballots, competition_holds, competitions, shard_positions
from vote.db.pool import Database, Tx
from vote.domain.competition import Competition, next_version
from vote.domain.person import Person
from vote.errors import Conflict, DatabaseUnavailable, LogUnavailable

HOLD_S = 10.0  # far longer than two statements and a push take; a page that gets 503 keeps trying for longer
WAIT_S = 4.8  # for the hold of another request; shorter than a page waits for its answer
LOOK_AGAIN_S = 0.05
OVERTAKEN = "Someone else changed this competition at the same moment. Reload it, then try again."
NOT_KNOWN = (
    "The ballot log is not answering, so we can't check whether anyone has voted. Nothing was changed. Try again."
)

# States in which every accepted ballot is recorded, or none could be accepted: PostgreSQL alone knows.
_SETTLED = frozenset({"draft", "closed", "archived"})

T = TypeVar("T")


def unless_voted(
    db: Database,
    log: BallotLog,
    lock: Callable[[Tx], Competition],
    act: Callable[[Tx, Competition], T],
    *,
    by: Person,
    refusal: str,
) -> T:
    """Run `act` where no ballot was ever accepted. Raises Conflict(refusal) where one was, LogUnavailable when unknown.

    `lock` locks and checks the competition, again in each transaction. Whenever this raises, nothing has changed.
    """
    with db.transaction(by=by.id) as tx:
        before = lock(tx)
        _refuse_recorded(tx, before, refusal)
        if before.state in _SETTLED or not _was_log_ever_ready(tx):
            return act(tx, before)
    try:
        if log.has_ballots(before.id):
            raise Conflict(refusal)
        return _under_hold(db, log, lock, act, by=by, refusal=refusal)
    except LogUnavailable:
        raise LogUnavailable(NOT_KNOWN) from None


def release_overdue(db: Database, log: BallotLog, *, by: str) -> list[int]:
    """Release holds whose process is gone. Several workers may call it at once. Returns the ids of the competitions."""
    with db.read() as tx:
        overdue = competition_holds.held_too_long(tx)
    for competition_id, version in overdue:
        _release(db, log, competition_id, by=by, version=version)
    return [competition_id for competition_id, _ in overdue]


def _under_hold(
    db: Database,
    log: BallotLog,
    lock: Callable[[Tx], Competition],
    act: Callable[[Tx, Competition], T],
    *,
    by: Person,
    refusal: str,
) -> T:
    held = _hold_alone(db, lock, by=by)
    try:
        if not log.announce([Rules.from_competition(held)]):
            raise LogUnavailable
        if log.has_ballots(held.id, under=held.rules_version):
            raise Conflict(refusal)
        with db.transaction(by=by.id) as tx:
            present = lock(tx)
            if present.rules_version != held.rules_version:  # the hold has ended: ballots may have come since
                raise Conflict(OVERTAKEN)
            _refuse_recorded(tx, present, refusal)
            return act(tx, present)
    except LogUnavailable:
        if _is_still_held(db, held):
            raise
        raise Conflict(OVERTAKEN) from None  # the shards have newer rules: the log itself answered
    finally:
        with suppress(DatabaseUnavailable):  # the worker releases it later; the answer is decided already
            _release(db, log, held.id, by=by.id, version=held.rules_version)


def _hold_alone(db: Database, lock: Callable[[Tx], Competition], *, by: Person) -> Competition:
    """Hold the competition once nobody else does. Raises Conflict after WAIT_S, and what `lock` raises."""
    until = time.monotonic() + WAIT_S
    while True:
        with db.transaction(by=by.id) as tx:
            before = lock(tx)
            if before.held_until is None or before.held_until <= datetime.now(UTC):
                return _hold(tx, before)
        if time.monotonic() > until:
            raise Conflict(OVERTAKEN)
        time.sleep(LOOK_AGAIN_S)


def _is_still_held(db: Database, held: Competition) -> bool:
    with db.read() as tx:
        present = competitions.find(tx, held.id)
    return present is not None and present.rules_version == held.rules_version


def _hold(tx: Tx, before: Competition) -> Competition:
    version = next_version(before.rules_version, datetime.now(UTC))
    competition_holds.hold(tx, before.id, rules_version=version, seconds=HOLD_S)
    return competitions.get(tx, before.id)


def _release(db: Database, log: BallotLog, competition_id: int, *, by: Any, version: int) -> None:
    """End the hold of this version, unless something else has ended it."""
    with db.transaction(by=by) as tx:
        held = competitions.lock(tx, competition_id)
        if held is None or held.held_until is None or version != held.rules_version:
            return
        competition_holds.release(tx, competition_id, rules_version=next_version(held.rules_version, datetime.now(UTC)))
        released = competitions.get(tx, competition_id)
    log.announce([Rules.from_competition(released)])


def _refuse_recorded(tx: Tx, competition: Competition, refusal: str) -> None:
    if ballots.may_have_ballots(tx, competition.id, since=competition.opened_at):
        raise Conflict(refusal)


def _was_log_ever_ready(tx: Tx) -> bool:
    """Return whether PostgreSQL has an epoch of any shard: without one a shard takes no ballot (R5)."""
    return any(position.epoch is not None for position in shard_positions.all_positions(tx).values())
