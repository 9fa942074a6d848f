"""What organisers do with competitions. Every change that the ballot log must know is announced after the commit."""

import secrets
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from vote.ballotlog.entries import Rules
from vote.ballotlog.log import BallotLog
from vote.db import competitions, tallies
from vote.db.idempotency import Claim
from vote.db.pool import Database, Tx
from vote.domain import policy
from vote.domain.competition import (
    Competition,
    State,
    Visibility,
    keyed_options,
    next_version,
    state_to_begin_with,
)
from vote.domain.person import Person
from vote.errors import Conflict, InvalidInput, NotAllowed, NotFound, StaleVersion

RECEIPT_KEY_BYTES = 32


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
    """A new competition: open at once, scheduled when `opens_at` lies ahead, or a draft when asked for."""
    if not policy.can_organise(by):
        raise NotAllowed("Only organisers and admins may create competitions.")
    now = datetime.now(UTC)
    check_times(opens_at=opens_at, closes_at=closes_at, now=now)
    with db.transaction(by=by.id, once=once) as tx:
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
        created = _found(tx, competition_id)
        if once is not None:
            once.object_id = competition_id
    _announce(log, created)
    return created


def change(
    db: Database,
    log: BallotLog,
    competition_id: int,
    *,
    by: Person,
    if_match: str | None,
    once: Claim | None = None,
    **fields: Any,
) -> Competition:
    """Change some of name, description, options, opens_at, closes_at, allow_change, results_visibility.

    `if_match` is the ETag that was read, or None where the caller holds no older copy. Raises StaleVersion when it is
    not the present one, Conflict when voters were promised otherwise.
    """
    now = datetime.now(UTC)
    with db.transaction(by=by.id, once=once) as tx:
        before = _manage(tx, competition_id, by, if_match)
        _check_change(before, fields, now)
        merged = {
            name: fields.get(name, getattr(before, name))
            for name in ("name", "description", "opens_at", "closes_at", "allow_change", "results_visibility")
        }
        if _changes_options(before, fields):  # the same ones again must not be deleted: votes refer to them
            competitions.replace_options(tx, competition_id, keyed_options(list(fields["options"])))
        competitions.update(tx, competition_id, rules_version=next_version(before.rules_version, now), **merged)
        changed = _found(tx, competition_id)
        if (
            changed.state == "draft"
            and changed.opens_at is not None
            and changed.opens_at > now
            and "opens_at" in fields
        ):
            changed = _become(tx, changed, "scheduled", now=now)
    _announce(log, changed)
    return changed


def open_voting(
    db: Database, log: BallotLog, competition_id: int, *, by: Person | str, once: Claim | None = None
) -> Competition:
    """Open now, or open again (an audited reopening). Does nothing to a competition that is open."""
    now = datetime.now(UTC)
    with _transaction(db, by, once) as tx:
        before = _manage(tx, competition_id, by, None)
        if before.state == "open":
            return before
        passed = before.closes_at is not None and before.closes_at <= now
        opens_at = now if before.opens_at is not None and before.opens_at > now else before.opens_at
        opened = _become(tx, before, "open", now=now, opens_at=opens_at, closes_at=None if passed else before.closes_at)
    _announce(log, opened)
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
    return closing


def delete(
    db: Database,
    log: BallotLog,
    competition_id: int,
    *,
    by: Person,
    if_match: str | None,
    once: Claim | None = None,
) -> None:
    """Take a competition away: nobody finds it any more, and what was voted stays in the books.

    Raises Conflict while people are voting in it: close it first.
    """
    with db.transaction(by=by.id, once=once) as tx:
        before = _manage(tx, competition_id, by, if_match)
        if before.state in ("open", "closing") and tallies.read(tx, [competition_id])[competition_id].total:
            raise Conflict("People are voting in this competition. Close it first; then it can be taken away.")
        archived = _become(tx, before, "archived", now=datetime.now(UTC))
    _announce(log, archived)


def ensure_demo(db: Database, *, by: str) -> bool:
    """One open competition to try, when there is none at all. True when it was created now.

    The worker tells the ballot log of it, so none is needed here.
    """
    with db.transaction(by=by) as tx:
        if competitions.any_exist(tx):
            return False
        now = datetime.now(UTC)
        competitions.insert(
            tx,
            name="Which stage was the best of the festival?",
            description="A demo competition. Vote, and watch the bars move.",
            state="open",
            opens_at=None,
            closes_at=None,
            allow_change=False,
            results_visibility="live",
            receipt_key=secrets.token_bytes(RECEIPT_KEY_BYTES),
            rules_version=next_version(0, now),
            organiser_id=None,
            options=keyed_options(["River stage", "Hall stage"]),
        )
        return True


def check_times(*, opens_at: datetime | None, closes_at: datetime | None, now: datetime) -> None:
    """Raises InvalidInput when closing would not come after opening and after now."""
    if closes_at is not None and closes_at <= now:
        raise InvalidInput({"closes_at": "The closing time has already passed. Choose a later one."})
    if closes_at is not None and opens_at is not None and closes_at <= opens_at:
        raise InvalidInput({"closes_at": "Voting must close after it opens. Choose a later closing time."})


def _check_change(before: Competition, fields: dict[str, Any], now: datetime) -> None:
    if before.state in ("closing", "closed", "archived") and fields.keys() - {
        "name",
        "description",
        "results_visibility",
    }:
        raise Conflict("Voting is over: only name, description and visibility may still change. Open it again first.")
    policy.check_change_of_rules(
        before,
        options=_changes_options(before, fields),
        allow_change=fields.get("allow_change", before.allow_change) != before.allow_change,
    )
    policy.check_change_of_visibility(before, fields.get("results_visibility", before.results_visibility))
    if before.opened_at is not None and fields.get("opens_at", before.opens_at) != before.opens_at:
        raise Conflict("Voting has begun: the opening time can no longer change.")
    if before.state == "scheduled" and fields.get("opens_at", before.opens_at) is None:
        raise InvalidInput({"opens_at": "It waits for its opening time, so it needs one. To open it now, open it."})
    if "opens_at" in fields or "closes_at" in fields:
        opens_at = fields.get("opens_at", before.opens_at)
        check_times(opens_at=opens_at, closes_at=fields.get("closes_at", before.closes_at), now=now)


def _changes_options(before: Competition, fields: dict[str, Any]) -> bool:
    present = [option.label for option in before.options]
    return list(fields.get("options", present)) != present


def _manage(tx: Tx, competition_id: int, by: Person | str, if_match: str | None) -> Competition:
    before = competitions.lock(tx, competition_id)
    person = by if isinstance(by, Person) else None
    if before is None or before.state == "archived":
        raise NotFound("There is no such competition.")
    if person is not None:
        policy.check_manage(person, before)
    if if_match is not None and if_match not in ("*", before.etag):
        raise StaleVersion
    return before


def _become(
    tx: Tx,
    before: Competition,
    state: State,
    *,
    now: datetime,
    rules_version: int | None = None,
    opens_at: datetime | None = None,
    closes_at: datetime | None = None,
) -> Competition:
    policy.check_become(before, state)
    opening = state == "open"
    competitions.set_state(
        tx,
        before.id,
        state,
        rules_version=rules_version or next_version(before.rules_version, now),
        opens_at=opens_at if opening else before.opens_at,
        closes_at=closes_at if opening else before.closes_at,
    )
    return _found(tx, before.id)


def _transaction(db: Database, by: Person | str, once: Claim | None) -> Any:
    return db.transaction(by=by.id if isinstance(by, Person) else by, once=once)


def _found(tx: Tx, competition_id: int) -> Competition:
    found = competitions.find(tx, competition_id)
    assert found is not None
    return found


def _announce(log: BallotLog, competition: Competition) -> None:
    """Tell the shards. When that fails, the worker's schedule does it within a second (R7)."""
    if competition.state != "draft":
        log.announce([Rules.of(competition)])
