"""Maintenance, about once a minute: sign chain heads, sample positions, trim the log, evict voters, retire old journal rows.

Several workers may run each step at once, and it may be cut off anywhere.
"""

import time
from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import UTC, datetime

import structlog

from vote.actions import accounts, checkpoints
from vote.actions.checkpoints import Signer
from vote.ballotlog.log import BallotLog
from vote.config import Settings
from vote.db import (
    account_locks,
    attempts,
    backups,
    clock,
    devices,
    idempotency_keys,
    mail_links,
    outbox,
    retention,
    shard_positions,
    users,
)
from vote.db.pool import Database
from vote.db.shard_positions import Position
from vote.errors import ConfigError
from vote.worker import voter_eviction
from vote.worker.make_ready import Progressed, ignore_progress

EVERY_S = 60.0
TRIM_STEP = 20_000  # entries per call to the log: some milliseconds in which no ballot is taken
ERASE_STEP = 200  # accounts in one transaction, which holds the audit log's lock
UNUSED_EVERY_S = 3600.0  # it reads every account
RETIRE_STEP = 5_000  # rows of the journal in one transaction
RETIRE_BUDGET_S = 0.25  # ballots wait for this worker meanwhile
RETIRE_AGAIN_S = 5.0  # while there is more
ACTOR = "keeping"
TOO_OLD = "PostgreSQL was restored to a time before the close; the log has evicted the voters: close it again"

logger = structlog.get_logger()


@dataclass(slots=True)
class RetentionPass:
    """A pass over the journal that retires old rows. `end` is each shard's newest row when it began."""

    competitions: list[int]
    began: datetime
    end: dict[int, int]
    done: dict[int, int] = field(default_factory=dict)

    def next_stretch(self) -> tuple[int, int, int] | None:
        """Return the next (shard, after, last); None when the pass is complete."""
        for shard, end in self.end.items():
            after = self.done.get(shard, 0)
            if after < end:
                return shard, after, min(after + RETIRE_STEP, end)
        return None


@dataclass(slots=True)
class Maintenance:
    """The maintenance of a worker. Each step may raise Unavailable; the next turn does the rest."""

    db: Database
    log: BallotLog
    signer: Signer | None
    log_keep_hours: int
    journal_keep_days: int
    account_keep_days: int = 0  # 0: forever
    progressed: Progressed = ignore_progress
    _next: float = 0.0
    _next_erase: float = 0.0
    _next_retire: float = 0.0
    _has_warned: bool = False
    _untrimmed: str = ""
    _pass: RetentionPass | None = None

    @classmethod
    def from_settings(
        cls, settings: Settings, db: Database, log: BallotLog, *, progressed: Progressed = ignore_progress
    ) -> "Maintenance":
        """Return the maintenance for these settings. Raises ConfigError when a production worker has no key to sign with."""
        if settings.checkpoint_key is None and settings.vote_env == "production":
            raise ConfigError(
                "CHECKPOINT_KEY is not set. In production the worker signs the heads of journal and audit log, so that"
                " nobody can forge them. The 32 bytes of an Ed25519 key in base64; keep them away from the database."
            )
        signer = None if settings.checkpoint_key is None else Signer(settings.checkpoint_key)
        days = settings.journal_keep_days, settings.account_keep_days
        return cls(db, log, signer, settings.vote_log_keep_hours, *days, progressed)

    def run(self) -> None:
        """Run the steps that are due."""
        now = time.monotonic()
        if now >= self._next:
            self._next = now + EVERY_S
            for step in (self.sign, self.mark, self.trim, self.forget):
                step()
                self.progressed()
        if now >= self._next_erase:
            self._next_erase = now + (EVERY_S if self.erase_unused() else UNUSED_EVERY_S)
        if now >= self._next_retire:
            self._next_retire = now + (RETIRE_AGAIN_S if self.retire() else EVERY_S)

    def sign(self) -> None:
        """Write checkpoints if there is a key; otherwise warn once."""
        if self.signer is not None:
            checkpoints.make(self.db, self.signer)
        elif not self._has_warned:
            self._has_warned = True
            logger.warning(
                "chains not signed",
                reason="CHECKPOINT_KEY is not set: the chains of journal and audit log get no heads",
            )

    def mark(self) -> None:
        """Sample positions once an hour, and delete what has expired."""
        with self.db.transaction(by=ACTOR) as tx:
            retention.mark_positions(tx)
            retention.delete_old_marks(tx, keep_hours=self.log_keep_hours)
            users.forget_expired_revocations(tx)
            for table in (attempts, idempotency_keys, account_locks, mail_links):
                table.forget_expired(tx)
            devices.forget_unused(tx)
            outbox.forget_done(tx)

    def trim(self) -> None:
        """Trim each ready shard strictly below what a verified backup holds; without one, below old positions (R9)."""
        with self.db.read() as tx:
            verified = backups.newest_verified_positions(tx)
            marks = retention.newest_marks(tx, older_than_hours=self.log_keep_hours)
            safe = {**marks} if verified is None else verified
            recorded = shard_positions.all_positions(tx)
        self._warn_when_held(verified, recorded)
        for shard, (epoch, position) in safe.items():
            if shard in recorded and recorded[shard].epoch == epoch:
                self._trim(recorded[shard], min(position, recorded[shard].position))

    def _warn_when_held(self, verified: dict[int, tuple[str, int]] | None, recorded: dict[int, Position]) -> None:
        """Log why the log cannot be trimmed further: one line per change, not one per minute."""
        held = verified or {}
        waiting = [
            position.shard
            for position in recorded.values()
            if position.epoch and held.get(position.shard, ("", 0))[0] != position.epoch
        ]
        reason = ""
        if verified is None:
            reason = f"no backup was verified by a restore: only what was recorded {self.log_keep_hours} hours ago goes"
        elif waiting:
            reason = f"no verified backup holds the present epoch of shards {', '.join(map(str, waiting))}"
        if reason and reason != self._untrimmed:
            logger.warning("not trimmed", reason=reason)
        self._untrimmed = reason

    def _trim(self, recorded: Position, below: int) -> None:
        """Trim one shard in steps, so that a long trim keeps no voter waiting."""
        while first := self.log.read_after(recorded.shard, 0, 1):
            if first[0].position >= below:
                return
            self.progressed()
            shard = self.log.describe(recorded.shard)
            target = min(first[0].position + TRIM_STEP, below)
            if not shard.ready or shard.epoch != recorded.epoch or self.log.trim(shard, target) != "ok":
                return

    def forget(self, begun: Collection[int] = ()) -> None:
        """Have the log forget the voters of competitions that are over and safe, and what it has `begun` to forget."""
        forgotten = voter_eviction.forget(self.db, self.log, keep_hours=self.log_keep_hours, begun=begun)
        for competition in forgotten:
            logger.info("voters evicted", competition=competition)
        for competition in set(begun).difference(forgotten):
            logger.error("voters evicted before the end", competition=competition, reason=TOO_OLD)

    def erase_unused(self) -> bool:
        """Erase some accounts unused for longer than they are kept. Returns True when there may be more."""
        if self.account_keep_days == 0:
            return False
        erased = accounts.erase_unused(self.db, self.log, keep_days=self.account_keep_days, most=ERASE_STEP, by=ACTOR)
        if erased:
            logger.info("unused accounts erased", count=len(erased))
        return bool(erased)

    def retire(self) -> bool:
        """Blank who voted what in old journal rows, for at most RETIRE_BUDGET_S. Returns True when there is more to do."""
        current = self._pass = self._pass or self._begin_pass()
        if current is None:
            return False
        until = time.monotonic() + RETIRE_BUDGET_S
        while (stretch := current.next_stretch()) is not None:
            if time.monotonic() >= until:
                return True
            shard, after, last = stretch
            with self.db.transaction(by=ACTOR) as tx:
                retention.retire_ballots(tx, keep_days=self.journal_keep_days, shard=shard, after=after, last=last)
            current.done[shard] = last
        with self.db.transaction(by=ACTOR) as tx:
            retention.mark_retired(tx, current.competitions, closed_before=current.began)
        self._pass = None
        logger.info("journal retired", competitions=current.competitions)
        return False

    def _begin_pass(self) -> RetentionPass | None:
        with self.db.read() as tx:
            began = datetime.fromtimestamp(clock.now(tx), UTC)  # closing times come from the same clock
            due = retention.to_retire(tx, keep_days=self.journal_keep_days)
            if not due:
                return None
            end = {shard: position.recorded for shard, position in shard_positions.all_positions(tx).items()}
        return RetentionPass(due, began, end)
