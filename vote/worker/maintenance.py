"""Housekeeping, about once a minute: sign the heads of the chains, mark and trim the log, forget what is over, retire
what is old. Each step is safe to be done by several workers, and to be cut off anywhere.
"""

import time
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
    positions,
    retention,
    users,
)
from vote.db.pool import Database
from vote.db.positions import Position
from vote.errors import ConfigError
from vote.worker import voter_eviction
from vote.worker.make_ready import Progressed, no_matter

EVERY_S = 60.0
TRIM_STEP = 20_000  # entries a call to the log: some milliseconds in which no ballot is taken
ERASE_STEP = 200  # accounts in one transaction, which keeps the audit log's lock
UNUSED_EVERY_S = 3600.0  # it looks at every account
RETIRE_STEP = 5_000  # rows of the journal in one transaction
RETIRE_BUDGET_S = 0.25  # ballots wait for this worker meanwhile
RETIRE_AGAIN_S = 5.0  # while there is more
ACTOR = "keeping"

logger = structlog.get_logger()


@dataclass(slots=True)
class RetentionPass:
    """One way through the journal to retire what is old."""

    competitions: list[int]
    began: datetime
    upto: dict[int, int]  # the newest row of each shard when it began
    at: dict[int, int] = field(default_factory=dict)

    def next_stretch(self) -> tuple[int, int, int] | None:
        """The next (shard, after, upto); None when all was walked."""
        for shard, end in self.upto.items():
            after = self.at.get(shard, 0)
            if after < end:
                return shard, after, min(after + RETIRE_STEP, end)
        return None


@dataclass(slots=True)
class Maintenance:
    """The housekeeping of one worker. Each step may raise Unavailable; the next turn takes up what was left."""

    db: Database
    log: BallotLog
    signer: Signer | None
    log_keep_hours: int
    journal_keep_days: int
    account_keep_days: int = 0  # 0: for ever
    progressed: Progressed = no_matter
    _next: float = 0.0
    _next_erase: float = 0.0
    _next_retire: float = 0.0
    _has_said: bool = False
    _untrimmed: str = ""
    _walk: RetentionPass | None = None

    @classmethod
    def from_settings(
        cls, settings: Settings, db: Database, log: BallotLog, *, progressed: Progressed = no_matter
    ) -> "Maintenance":
        """A keeper for these settings. Raises ConfigError when a production worker has no key to sign with."""
        if settings.checkpoint_key is None and settings.vote_env == "production":
            raise ConfigError(
                "CHECKPOINT_KEY is not set. In production the worker signs the heads of journal and audit log, so that"
                " nobody can make them anew. The 32 bytes of an Ed25519 key in base64; keep them away from the database."
            )
        signer = None if settings.checkpoint_key is None else Signer(settings.checkpoint_key)
        days = settings.journal_keep_days, settings.account_keep_days
        return cls(db, log, signer, settings.vote_log_keep_hours, *days, progressed)

    def run(self) -> None:
        """Do what is due."""
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
        """Write checkpoints, where there is a key."""
        if self.signer is not None:
            checkpoints.make(self.db, self.signer)
        elif not self._has_said:
            self._has_said = True
            logger.warning(
                "unsigned", reason="CHECKPOINT_KEY is not set: the chains of journal and audit log get no heads"
            )

    def mark(self) -> None:
        """Mark positions once an hour, and delete what has had its time."""
        with self.db.transaction(by=ACTOR) as tx:
            retention.mark_positions(tx)
            retention.delete_old_marks(tx, keep_hours=self.log_keep_hours)
            users.forget_expired_revocations(tx)
            for subject in (attempts, idempotency_keys, account_locks, mail_links):
                subject.forget_expired(tx)
            devices.forget_unused(tx)
            outbox.forget_done(tx)

    def trim(self) -> None:
        """R9: trim each ready shard strictly below what a verified backup holds; without one, below what is old."""
        with self.db.read() as tx:
            verified = backups.newest_verified_positions(tx)
            marks = retention.newest_marks(tx, older_than_hours=self.log_keep_hours)
            safe = {**marks} if verified is None else verified
            recorded = positions.all_positions(tx)
        self._say_what_waits(verified, recorded)
        for shard, (epoch, position) in safe.items():
            if shard in recorded and recorded[shard].epoch == epoch:
                self._trim(recorded[shard], min(position, recorded[shard].position))

    def _say_what_waits(self, verified: dict[int, tuple[str, int]] | None, recorded: dict[int, Position]) -> None:
        """Why the log is not trimmed to where it could be; a line for a change, not one a minute."""
        held = verified or {}
        waiting = [at.shard for at in recorded.values() if at.epoch and held.get(at.shard, ("", 0))[0] != at.epoch]
        reason = ""
        if verified is None:
            reason = f"no backup was verified by a restore: only what was recorded {self.log_keep_hours} hours ago goes"
        elif waiting:
            reason = f"no verified backup holds the present epoch of shards {', '.join(map(str, waiting))}"
        if reason and reason != self._untrimmed:
            logger.warning("not trimmed", reason=reason)
        self._untrimmed = reason

    def _trim(self, at: Position, below: int) -> None:
        """In steps, so that a long trim keeps no voter waiting."""
        while first := self.log.read_after(at.shard, 0, 1):
            if first[0].position >= below:
                return
            self.progressed()
            shard = self.log.describe(at.shard)
            to = min(first[0].position + TRIM_STEP, below)
            if not shard.ready or shard.epoch != at.epoch or self.log.trim(shard, to) != "ok":
                return

    def forget(self) -> None:
        """Let the log forget competitions that are over and safe."""
        for competition in voter_eviction.forget(self.db, self.log, keep_hours=self.log_keep_hours):
            logger.info("forgotten", competition=competition)

    def erase_unused(self) -> bool:
        """Erase some accounts that nobody has used for as long as they are kept. True when there may be more."""
        if self.account_keep_days == 0:
            return False
        erased = accounts.erase_unused(self.db, self.log, keep_days=self.account_keep_days, most=ERASE_STEP, by=ACTOR)
        if erased:
            logger.info("erased unused accounts", count=len(erased))
        return bool(erased)

    def retire(self) -> bool:
        """Take who voted what out of old parts of the journal, for a moment. True when there is more to do."""
        walk = self._walk = self._walk or self._begin_walk()
        if walk is None:
            return False
        until = time.monotonic() + RETIRE_BUDGET_S
        while (stretch := walk.next_stretch()) is not None:
            if time.monotonic() >= until:
                return True
            shard, after, upto = stretch
            with self.db.transaction(by=ACTOR) as tx:
                retention.retire_ballots(tx, keep_days=self.journal_keep_days, shard=shard, after=after, upto=upto)
            walk.at[shard] = upto
        with self.db.transaction(by=ACTOR) as tx:
            retention.mark_retired(tx, walk.competitions, closed_before=walk.began)
        self._walk = None
        logger.info("retired", competitions=walk.competitions)
        return False

    def _begin_walk(self) -> RetentionPass | None:
        with self.db.read() as tx:
            began = datetime.fromtimestamp(clock.now(tx), UTC)  # when something closed is said by the same clock
            due = retention.to_retire(tx, keep_days=self.journal_keep_days)
            if not due:
                return None
            upto = {shard: position.recorded for shard, position in positions.all_positions(tx).items()}
        return RetentionPass(due, began, upto)
