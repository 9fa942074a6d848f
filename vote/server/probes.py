"""Health checks of the front door: readiness to acknowledge votes, with reasons and warnings."""

from typing import NamedTuple

from vote.ballotlog.shard import Shard
from vote.db import clock, durability_settings, shard_positions
from vote.db.shard_positions import Position
from vote.errors import DatabaseUnavailable, LogUnavailable, foreign_log
from vote.services import recording_lag
from vote.services.container import Services

QUIET_S = 10.0  # how long no worker may run, or pending ballots wait, before /ready warns


class Readiness(NamedTuple):
    """The readiness of this process: reasons why it cannot acknowledge a vote (empty: it can), and warnings for an
    admin.
    """

    reasons: list[str]
    warnings: list[str]


def readiness(services: Services) -> Readiness:
    """Check ballot log and database. PostgreSQL may be down, but while it answers its settings must be durable."""
    log_reasons, shards = _ask_log(services)
    report = Readiness(log_reasons, [])
    report.reasons.extend(_login_problems(services))
    try:
        with services.db.read() as tx:
            unsafe, warnings = durability_settings.check(tx)
            ahead_s = clock.ahead_s(tx)
            recorded, moved_s = shard_positions.all_positions(tx), shard_positions.seconds_since_moved(tx)
        report.reasons.extend(unsafe)
        report.warnings.extend(warnings)
        if abs(ahead_s) > clock.APART_S:
            report.reasons.append(
                f"this machine's clock is {abs(ahead_s):.1f} s {'ahead of' if ahead_s > 0 else 'behind'} PostgreSQL's, and"
                " logins depend on the order of events: synchronise both with the same time server"
            )
        report.warnings.extend(_stalled_work(services, shards, recorded, moved_s))
    except DatabaseUnavailable:
        report.warnings.append("PostgreSQL does not answer: votes are accepted and will be recorded when it is back")
    return report


def _ask_log(services: Services) -> tuple[list[str], list[Shard]]:
    """Return why the log takes no ballots, and its shards; no shards if it does not answer or is not ours."""
    ours = services.installation.id
    if ours is None:
        return ["the installation's id has not been read from PostgreSQL yet"], []
    try:
        foreign = sorted({owner for owner, epoch in services.log.owners() if owner != ours and (owner or epoch)})
        if foreign:
            return [foreign_log(ours, owner) for owner in foreign], []
        reasons, shards = services.log.unsafe_settings(), services.log.describe_all()
    except LogUnavailable as error:
        return [f"the ballot log does not answer: {error.__cause__ or error}"], []
    if cold := [str(shard.number) for shard in shards if not shard.ready]:
        reasons.append(f"shards {', '.join(cold)} of the ballot log wait for a worker to make them ready: start one")
    return reasons, shards


def _login_problems(services: Services) -> list[str]:
    """Return why valid logins are not accepted now."""
    if not services.revocations.is_loaded:
        return ["revoked logins have not been read from PostgreSQL yet"]
    if not services.revocations.is_cut_off:
        return []
    accepted = "accepts only later logins" if services.settings.logins_when_cut_off == "newer" else "accepts no logins"
    return [
        f"this process is cut off from PostgreSQL: it last read revoked logins {services.revocations.age_s:.0f} s ago"
        f" and {accepted}"
    ]


def _stalled_work(
    services: Services, shards: list[Shard], recorded: dict[int, Position], moved_s: dict[int, float]
) -> list[str]:
    """Return warnings about workers that do not run and ballots that are not recorded."""
    if not shards:
        return []
    try:
        turn_s, lag = (
            services.heartbeats.seconds_since_turn(),
            recording_lag.measure(services.log, shards, recorded, moved_s),
        )
    except LogUnavailable:
        return []
    warnings = []
    if turn_s is None or turn_s > QUIET_S:
        since = "for a day or longer" if turn_s is None else f"for {turn_s:.0f} s"
        warnings.append(f"no worker has run {since}: nothing is recorded, opened or closed")
    if lag.still_s > QUIET_S:
        warnings.append(f"recording has stalled for {lag.still_s:.0f} s with {lag.pending} entries pending")
    return warnings
