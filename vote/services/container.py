"""The pools and clients of a web process, opened once and shared by Flask and the front door."""

from dataclasses import dataclass

from vote.actions.login_throttle import LoginThrottle
from vote.auth import PasswordHasher
from vote.ballotlog.heartbeats import Heartbeats
from vote.ballotlog.log import BallotLog
from vote.config import Settings
from vote.db.dedicated_connection import DedicatedConnection
from vote.db.pool import Database
from vote.db.replica import Replica
from vote.domain.installation import Installation
from vote.identity.email_confirmation import EmailConfirmation
from vote.identity.revocations import RevocationList
from vote.metrics.registry import start_at_zero
from vote.metrics.web import LIMITED
from vote.secret_watch import SecretWatch
from vote.services.cache import Cache
from vote.services.competition_cache import CacheInvalidator, CompetitionCache
from vote.services.installation_loader import InstallationLoader
from vote.services.rate_limiter import RateLimiter
from vote.services.rate_limits import RateLimits


@dataclass(frozen=True, slots=True)
class Services:
    """A container of settings, pools and clients. Creating it connects to nothing; `start` starts its background threads."""

    settings: Settings
    db: Database
    reports: Database
    replica: Replica
    installation: Installation
    installation_loader: InstallationLoader
    log: BallotLog
    heartbeats: Heartbeats
    hasher: PasswordHasher
    login_throttle: LoginThrottle
    email_confirmation: EmailConfirmation
    revocations: RevocationList
    cache: Cache
    competition_cache: CompetitionCache
    rate_limits: RateLimits
    rate_limiter: RateLimiter
    secret_watch: SecretWatch

    @classmethod
    def from_settings(cls, settings: Settings) -> "Services":
        """Create the services for these settings."""
        size, wait_s = settings.vote_db_pool, settings.vote_db_wait_s
        installation, rate_limits = Installation(), RateLimits.from_settings(settings)
        start_at_zero(LIMITED, *(limit.name for limit in rate_limits))
        cache = Cache(settings.cache_url, installation)
        db = Database(
            settings.database("web"), size=size, wait_s=wait_s, name="vote web", on_change=CacheInvalidator(cache)
        )
        log = BallotLog(settings.log_url, settings.vote_shards, installation)
        heartbeats = Heartbeats(settings.log_url, installation)
        reports = Database(settings.database("reports"), size=size, wait_s=wait_s, name="vote reports")
        return cls(
            settings=settings,
            db=db,
            reports=reports,
            replica=Replica(settings.replica(), reports, size=size, max_lag_s=settings.database_replica_max_lag_s),
            installation=installation,
            installation_loader=InstallationLoader(db, installation),
            log=log,
            heartbeats=heartbeats,
            # A login that waits for a hash holds a page thread: keep half of them for everyone else.
            hasher=PasswordHasher(settings.vote_hash_threads, places=settings.vote_page_threads // 2),
            login_throttle=LoginThrottle(db, settings),
            email_confirmation=EmailConfirmation(db, log),
            revocations=RevocationList(
                DedicatedConnection(settings.database("web"), name="vote web revocations"),
                heartbeats,
                stale_logins=settings.logins_when_cut_off,
            ),
            cache=cache,
            competition_cache=CompetitionCache(cache, db),
            rate_limits=rate_limits,
            rate_limiter=RateLimiter(settings.cache_url, installation, processes=settings.web_concurrency),
            secret_watch=SecretWatch(settings),
        )

    def start(self) -> None:
        """Load the installation's id, and start to follow revocations, the replica's lag and changed secrets."""
        self.installation_loader.start()
        self.revocations.start()
        self.replica.start()
        self.secret_watch.start()

    def close(self) -> None:
        """Stop the threads and close all connections."""
        self.installation_loader.stop()
        self.revocations.stop()
        self.replica.close()
        self.secret_watch.close()
        self.hasher.close()
        self.rate_limiter.close()
        self.cache.close()
        self.log.close()
        self.heartbeats.close()
        self.db.close()
        self.reports.close()
