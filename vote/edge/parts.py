"""What the web needs of the rest of the system, opened once per process and shared by Flask and the front door."""

from dataclasses import dataclass

from vote.auth import PasswordHasher
from vote.ballotlog.log import BallotLog
from vote.config import Settings
from vote.db.pool import Database
from vote.edge.revoked import Revoked


@dataclass(frozen=True, slots=True)
class Parts:
    """Settings, pools and clients. Making it connects to nothing; `start` begins to follow what is revoked."""

    settings: Settings
    db: Database
    reports: Database
    log: BallotLog
    hasher: PasswordHasher
    revoked: Revoked

    @classmethod
    def of(cls, settings: Settings) -> "Parts":
        """The parts for these settings."""
        db = Database(settings.database("web"), size=settings.vote_db_pool, name="vote web")
        return cls(
            settings=settings,
            db=db,
            reports=Database(settings.database("reports"), size=settings.vote_db_pool, name="vote reports"),
            log=BallotLog(settings.log_url, settings.vote_shards),
            hasher=PasswordHasher(settings.vote_hash_threads),
            revoked=Revoked(db),
        )

    def start(self) -> None:
        """Begin to follow what is revoked."""
        self.revoked.start()

    def close(self) -> None:
        """Let everything go."""
        self.revoked.stop()
        self.hasher.close()
        self.log.close()
        self.db.close()
        self.reports.close()
