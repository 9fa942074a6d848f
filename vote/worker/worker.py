"""One worker: its parts, and the steps that the loop (or a test) takes one by one."""

import time
from dataclasses import dataclass, field

import structlog

from vote.actions import reinstatement
from vote.actions.recording import Recorded
from vote.ballotlog.log import BallotLog
from vote.ballotlog.shard import Shard
from vote.config import Settings
from vote.db import incarnations, shard_positions
from vote.db import installation as installations
from vote.db.pool import Database
from vote.domain.installation import Installation
from vote.errors import ConfigError
from vote.redis_client import is_replicated
from vote.services.competition_cache import CacheInvalidator
from vote.worker import erasures, foreign_log, schedule
from vote.worker.drain import Batch, drain
from vote.worker.maintenance import Maintenance
from vote.worker.make_ready import Progressed, ReadyStatus, ignore_progress, make_ready

SCHEDULE_EVERY_S = 0.5  # opening and closing happen within a second of their time
REPUSH_EVERY_S = 1.0  # how often rules are pushed again that a lost announcement may have missed
POOL = 2

logger = structlog.get_logger()


@dataclass(slots=True)
class Worker:
    """Drains shards, makes cold ones ready, runs the schedule. Each step may raise Unavailable and be taken again."""

    db: Database
    log: BallotLog
    maintenance: Maintenance
    may_lack_a_tail: bool = False
    progressed: Progressed = ignore_progress
    _next_schedule: float = 0.0
    _next_push: float = 0.0
    _turn: int = 0
    _announced: schedule.AnnouncedRules = field(default_factory=dict)

    @classmethod
    def from_settings(
        cls, settings: Settings, *, installation: Installation | None = None, progressed: Progressed = ignore_progress
    ) -> "Worker":
        """Return a worker for these settings. Connects to nothing yet. `progressed` is called after each piece of work."""
        installation = installation or Installation()
        changes = CacheInvalidator.from_settings(settings, installation)
        db = Database(settings.database("worker"), size=POOL, name="vote worker", on_change=changes)
        # R6: a promoted replica that nobody waited for may lack what was accepted, and nothing in it shows that.
        may_lack_a_tail = is_replicated(settings.log_url) and settings.ballot_log_min_replicas == 0
        log = BallotLog(
            settings.log_url, settings.vote_shards, installation, wait_replicas=settings.ballot_log_min_replicas
        )
        maintenance = Maintenance.from_settings(settings, db, log, progressed=progressed)
        return cls(db, log, maintenance, may_lack_a_tail, progressed)

    def prepare(self) -> None:
        """Create the shards' rows, load the log's functions and claim a log that is nobody's (R11).

        Raises ConfigError when VOTE_SHARDS does not fit the data, ForeignLog when it is another installation's log.
        """
        installations.learn(self.db, self.log.installation)
        with self.db.transaction(by="worker") as tx:
            made_for = shard_positions.ensure_shards(tx, self.log.shards)
        if made_for != self.log.shards:
            raise ConfigError(
                f"VOTE_SHARDS is {self.log.shards}, but this database was made with {made_for}."
                " A voter's shard must never change: set it back."
            )
        foreign_log.check(self.db, self.log)
        self.log.load_library()
        foreign_log.claim(self.db, self.log)

    def step(self) -> int:
        """Tend every shard that has news, run the schedule when it is due. Returns how many ballots were recorded."""
        shards = self.log.describe_all()
        if any(not shard.installation for shard in shards):  # it was emptied
            foreign_log.claim(self.db, self.log)
        with self.db.read() as tx:
            if incarnations.note(tx):
                logger.warning(
                    "incarnation begun", reason="the database was promoted, restored or loaded: numbers go on higher"
                )
            stored = shard_positions.all_positions(tx)
        news = [
            shard
            for shard in shards
            if not shard.ready
            or (shard.epoch, shard.last) != (stored[shard.number].epoch, stored[shard.number].position)
        ]
        self._turn += 1  # workers that share shards do not all begin with the same one
        news = [news[(self._turn + i) % len(news)] for i in range(len(news))]
        # Voters wait for a cold shard, not for the recording: all cold ones first.
        recorded = sum(self.warm(shard) for shard in news if not shard.ready)
        recorded += sum(self.drain(shard.number) for shard in news)
        self._run_schedule()
        return recorded

    def warm(self, shard: Shard) -> int:
        """Make a cold shard ready, after recording what must come first. Returns how many ballots were recorded."""
        recorded = 0
        while True:
            step = make_ready(
                self.db, self.log, shard.number, may_lack_a_tail=self.may_lack_a_tail, progressed=self.progressed
            )
            self.progressed()
            if step is ReadyStatus.NEW_EPOCH:
                logger.warning("epoch begun", shard=shard.number, before=shard.epoch or None)
            elif step is ReadyStatus.READY:
                logger.info("shard ready", shard=shard.number)
            if step in (ReadyStatus.BUSY, ReadyStatus.READY):
                return recorded
            recorded += self.drain(shard.number)

    def drain(self, shard: int) -> int:
        """Record what a shard holds now. Returns how many ballots were recorded."""
        recorded = 0
        while batch := drain(self.db, self.log, shard):
            self.progressed()
            _log_batch(batch)
            recorded += batch.recorded.ballots
            if not batch.more:
                break
        return recorded

    def wait(self) -> None:
        """Return when the log has news, or after half a second."""
        with self.db.read() as tx:
            now = shard_positions.all_positions(tx)
        self.log.wait_for_news({shard: position.position for shard, position in now.items()})

    def close(self) -> None:
        """Close log and database."""
        self.log.close()
        self.db.close()

    def _run_schedule(self) -> None:
        now = time.monotonic()
        if now < self._next_schedule:
            return
        self._next_schedule = now + SCHEDULE_EVERY_S
        for competition, state in schedule.run_due(self.db, self.log):
            logger.info("state changed", competition=competition, state=state)
        for competition, ballots in reinstatement.run_pending(self.db, by=schedule.ACTOR).items():
            logger.warning("ballots reinstated", competition=competition, ballots=ballots)
        self._finish_closings()
        if now >= self._next_push:
            self._next_push = now + REPUSH_EVERY_S
            erasures.repeat_erasures(self.db, self.log)
            schedule.settle_left_addresses(self.db, self.log)
            if forgotten := schedule.push_what_is_missing(self.db, self.log, self.log.describe_all(), self._announced):
                self.maintenance.forget(begun=forgotten)
        self.maintenance.run()

    def _finish_closings(self) -> None:
        """Finish closings, but only over a log that holds what was acknowledged, once marks had time to arrive (R6)."""
        behind = schedule.compare_marks(self.db, self.log)
        for shard in behind:
            logger.error("acknowledged ballots missing", shard=shard)
        if behind or not all(schedule.is_settled(shard) for shard in self.log.describe_all()):
            return
        for competition in schedule.finish_closings(self.db):
            logger.info("result final", competition=competition)


def _log_batch(batch: Batch) -> None:
    """Log one line per batch of ballots; the request lines of its ballots carry shard and position too."""
    if batch.recorded == Recorded():
        return  # rules only: whoever changed them has logged it
    oldest = None if batch.oldest_ms is None else round(time.time() * 1000) - batch.oldest_ms
    log = logger.error if batch.recorded.rejected or batch.recorded.unmatched else logger.info
    log(
        "batch",
        shard=batch.shard,
        epoch=batch.epoch,
        after=batch.after,
        last=batch.last,
        ballots=batch.recorded.ballots,
        unmatched=batch.recorded.unmatched,
        rejected=batch.recorded.rejected,
        ms=round(batch.seconds * 1000, 1),
        oldest_ms=oldest,
    )
