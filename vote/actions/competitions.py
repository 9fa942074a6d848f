"""Changes that organisers make to competitions. Changes that the ballot log must know are pushed after the commit."""

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import structlog
from psycopg.errors import ForeignKeyViolation

from vote.actions import competition_changes
from vote.actions.competition_holds import unless_voted
from vote.actions.competition_ids import insert_numbered
from vote.ballotlog.entries import Rules
from vote.ballotlog.log import BallotLog
from vote.config import LOG_KEEP_HOURS
from vote.db import competitions, retention
from vote.db.idempotency_keys import Claim
from vote.db.pool import Database, Tx, done_once
from vote.domain import policy
from vote.domain.competition import (
    Competition,
    State,
    Visibility,
    keyed_options,
    next_version,
    state_to_begin_with,
)
from vote.domain.person import Person, actor_of
from vote.errors import Conflict, NoSuchCompetition, NotAllowed, StaleVersion

RECEIPT_KEY_BYTES = 32
KEPT = "People have voted here, so this can't be deleted. You can archive it once it is closed."

logger = structlog.get_logger()


def create(
    db: Database,
    log: BallotLog,
    *,
    by: Person,
    name: str,
    options: Sequence[str],
    description: str = "",
    opens_at: datetime | None = None,
    closes_at: datetime | None = None,
    allow_change: bool = False,
    results_visibility: Visibility = "live",
    draft: bool = False,
    once: Claim | None = None,
) -> Competition:
    """Create a competition: open at once, scheduled when `opens_at` lies ahead, or a draft when asked for."""
    if not policy.can_organise(by):
        raise NotAllowed("Only organisers and admins can create competitions.")
    now = datetime.now(UTC)
    competition_changes.check_times(opens_at=opens_at, closes_at=closes_at, now=now)

    def insert(tx: Tx) -> Competition:
        competition_id = competitions.insert(
            tx,
            name=name,
            description=description,
            state="draft" if draft else state_to_begin_with(opens_at=opens_at, now=now),
            opens_at=opens_at,
            closes_at=closes_at,
            allow_change=allow_change,
            results_visibility=results_visibility,
            receipt_key=secrets.token_bytes(RECEIPT_KEY_BYTES),
            rules_version=next_version(0, now),
            organiser_id=by.id,
            options=keyed_options(list(options)),
        )
        if once is not None:
            once.object_id = competition_id
        return competitions.get(tx, competition_id)

    created = insert_numbered(db, log, by, insert, once=once)
    _announce(log, created)
    logger.info("competition created", actor=actor_of(by), competition=created.id, state=created.state)
    return created


def change(
    db: Database,
    log: BallotLog,
    competition_id: int,
    *,
    by: Person,
    if_match: str | None,
    schedule: bool = False,
    correction: bool = False,
    once: Claim | None = None,
    **fields: Any,
) -> Competition:
    """Change some of name, description, options, opens_at, closes_at, allow_change, results_visibility.

    A value that is the same already changes nothing, not even the revision, and is never refused. A draft that gets another
    opening time, or is to `schedule` the one it has, waits for it from then on.

    `if_match` is the ETag that was read, or None where the caller holds no older copy. Raises StaleVersion when it is
    not the present one, Conflict when voters were promised otherwise, LogUnavailable when it matters whether anyone has
    voted and the log does not answer. A `correction` of words while voting is open is kept and shown to everyone.
    """
    now = datetime.now(UTC)

    def lock(tx: Tx) -> Competition:
        before = _manage(tx, competition_id, by, if_match)
        if schedule:
            competition_changes.check_schedule(before, now)
        given = _given(before, fields, schedule=schedule)
        if given and not (correction and before.opened_at is not None):
            competition_changes.check_change(before, given, now)
        return before

    def act(tx: Tx, before: Competition) -> Competition:
        given = _given(before, fields, schedule=schedule)
        with done_once(tx, once):
            return _write(tx, before, given, by=by, correction=correction, now=now) if given else before

    with db.transaction(by=by.id) as tx:
        before = lock(tx)
        given = _given(before, fields, schedule=schedule)
        is_about_words = not correction and before.state == "open" and competition_changes.changes_words(given)
        changed = None if is_about_words else act(tx, before)
    if changed is None:
        changed = unless_voted(db, log, lock, act, by=by, refusal=competition_changes.HAS_BALLOTS)
    _announce(log, changed)
    if given:
        logger.info(
            "competition corrected" if correction else "competition changed",
            actor=actor_of(by),
            competition=competition_id,
            fields=sorted(given),
        )
    return changed


def _write(
    tx: Tx, before: Competition, fields: Mapping[str, Any], *, by: Person, correction: bool, now: datetime
) -> Competition:
    merged = {
        name: fields.get(name, getattr(before, name))
        for name in ("name", "description", "opens_at", "closes_at", "allow_change", "results_visibility")
    }
    if correction and before.opened_at is not None:
        competitions.correct(tx, before.id, by=by.id, corrections=competition_changes.corrections(before, fields, now))
    elif "options" in fields:  # unchanged options stay: votes refer to them
        competitions.replace_options(tx, before.id, keyed_options(list(fields["options"])))
    competitions.update(tx, before.id, rules_version=next_version(before.rules_version, now), **merged)
    changed = competitions.get(tx, before.id)
    waits = changed.opens_at is not None and changed.opens_at > now and "opens_at" in fields
    return _become(tx, changed, "scheduled", now=now) if changed.state == "draft" and waits else changed


def open_voting(
    db: Database,
    log: BallotLog,
    competition_id: int,
    *,
    by: Person | str,
    keep_hours: int = LOG_KEEP_HOURS,
    once: Claim | None = None,
) -> Competition:
    """Open now, or open again (an audited reopening). Does nothing to a competition that is open.

    Raises Conflict when it closed more than `keep_hours` ago: then the log may no longer know who voted.
    """
    now = datetime.now(UTC)
    with _transaction(db, by, once) as tx:
        before = _manage(tx, competition_id, by, None)
        if before.state == "open":
            return before
        if before.state == "closed":
            reopening = retention.reopening(tx, competition_id, keep_hours=keep_hours)
            policy.check_reopening(reopening.until, is_over=reopening.is_over)
        passed = before.closes_at is not None and before.closes_at <= now
        opens_at = now if before.opens_at is not None and before.opens_at > now else before.opens_at
        opened = _become(tx, before, "open", now=now, opens_at=opens_at, closes_at=None if passed else before.closes_at)
    _announce(log, opened)
    event = "voting reopened" if before.state in ("closing", "closed") else "voting opened"
    logger.info(event, actor=actor_of(by), competition=competition_id)
    return opened


def close_voting(
    db: Database, log: BallotLog, competition_id: int, *, by: Person | str, once: Claim | None = None
) -> Competition:
    """Begin the safe close (R8). Does nothing to a competition that is closing or closed."""
    now = datetime.now(UTC)
    with _transaction(db, by, once) as tx:
        before = _manage(tx, competition_id, by, None)
        if before.state in ("closing", "closed"):
            return before
        closing = _become(tx, before, "closing", now=now)
    _announce(log, closing)
    logger.info("voting closed", actor=actor_of(by), competition=competition_id)
    return closing


def apply_schedule(db: Database, log: BallotLog, competition_id: int, *, by: str) -> State | None:
    """Open or close a competition whose time has come. Returns its new state; None when nothing is due, or no longer.

    Decides under the row lock: meanwhile it may have been put off, closed by hand or deleted, and a schedule never reopens.
    One whose closing time has passed too keeps that time: it takes no ballots, and the next call closes it.
    """
    with db.transaction(by=by) as tx:
        before = competitions.lock(tx, competition_id)
        state = competitions.due_state(tx, competition_id)
        if before is None or state is None:
            return None
        changed = _become(tx, before, state, now=datetime.now(UTC))
    _announce(log, changed)
    return state


def archive(db: Database, log: BallotLog, competition_id: int, *, by: Person, once: Claim | None = None) -> Competition:
    """Archive a closed competition: only those who run it see it from now on. Does nothing to one that is archived."""
    with db.transaction(by=by.id, once=once) as tx:
        before = _manage(tx, competition_id, by, None)
        if before.state == "archived":
            return before
        if before.state != "closed":
            raise Conflict("Only a closed competition can be archived. Close it first.")
        archived = _become(tx, before, "archived", now=datetime.now(UTC))
    _announce(log, archived)
    logger.info("competition archived", actor=actor_of(by), competition=competition_id)
    return archived


def delete(
    db: Database,
    log: BallotLog,
    competition_id: int,
    *,
    by: Person,
    if_match: str | None,
    once: Claim | None = None,
) -> None:
    """Delete a competition for good. Raises Conflict where a ballot was ever accepted: close and archive it instead."""

    def lock(tx: Tx) -> Competition:
        return _manage(tx, competition_id, by, if_match)

    def act(tx: Tx, before: Competition) -> Competition:
        with done_once(tx, once):
            competitions.delete(tx, competition_id)
        return before

    try:
        deleted = unless_voted(db, log, lock, act, by=by, refusal=KEPT)
    except ForeignKeyViolation:
        raise Conflict(KEPT) from None
    # A held competition is gone for the shards already; otherwise this makes them refuse it as unknown.
    gone = next_version(deleted.rules_version, datetime.now(UTC))
    _announce(log, replace(deleted, state="archived", rules_version=gone))
    logger.info("competition deleted", actor=actor_of(by), competition=competition_id)


def _given(before: Competition, fields: Mapping[str, Any], *, schedule: bool) -> dict[str, Any]:
    """Return the fields that would change; a draft that is to `schedule` waits for the opening time it has."""
    given = competition_changes.differing(before, fields)
    return given | {"opens_at": before.opens_at} if schedule else given


def _manage(tx: Tx, competition_id: int, by: Person | str, if_match: str | None) -> Competition:
    before = competitions.lock(tx, competition_id)
    if before is None:
        raise NoSuchCompetition
    if isinstance(by, Person):
        policy.check_manage(by, before)
    if if_match is not None and if_match not in ("*", before.etag):
        raise StaleVersion
    return before


def _become(tx: Tx, before: Competition, state: State, *, now: datetime, **times: datetime | None) -> Competition:
    policy.check_become(before, state)
    times = {"opens_at": before.opens_at, "closes_at": before.closes_at, **times}
    version = next_version(before.rules_version, now)
    competitions.set_state(tx, before.id, state, rules_version=version, **times)
    return competitions.get(tx, before.id)


def _transaction(db: Database, by: Person | str, once: Claim | None) -> Any:
    return db.transaction(by=by.id if isinstance(by, Person) else by, once=once)


def _announce(log: BallotLog, competition: Competition) -> None:
    """Push the rules to the shards. Where that fails, the worker's schedule does it within a second (R7)."""
    if competition.state != "draft":
        log.announce([Rules.from_competition(competition)])
