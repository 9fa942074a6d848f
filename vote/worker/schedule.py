"""Opens and closes competitions on time, pushes missing rules to ready shards, compares acknowledged marks with the log, and
finishes closings (R6, R7, R8).
"""

from vote.actions import competitions as change
from vote.actions.closing import finish_closing
from vote.actions.competition_holds import release_overdue
from vote.ballotlog.entries import Rules
from vote.ballotlog.log import BallotLog
from vote.ballotlog.shard import Shard
from vote.db import acknowledged_marks, competitions, left_addresses, votes
from vote.db.pool import Database

ACTOR = "schedule"
SETTLE_MS = 3_000  # R6: after a restart a result waits this long for marks, which web processes write once a second
SETTLE_AFTER_S = 10.0  # a logout takes effect everywhere within a second
SETTLE_STEP = 500  # left addresses settled in one turn

# Rules versions already pushed, per life of a shard (number, epoch, instance) and competition.
AnnouncedRules = dict[tuple[int, str, str], dict[int, int]]


def run_due(db: Database, log: BallotLog) -> list[tuple[int, str]]:
    """Open and close due competitions, and end holds whose process is gone. Returns (competition, new state or
    "released").
    """
    with db.read() as tx:
        due = competitions.due(tx)
    done: list[tuple[int, str]] = [(released, "released") for released in release_overdue(db, log, by=ACTOR)]
    for competition_id in due:
        if state := change.apply_schedule(db, log, competition_id, by=ACTOR):
            done.append((competition_id, state))
    return done


def compare_marks(db: Database, log: BallotLog) -> list[int]:
    """Compare every mark that web processes have written with the log (R6).

    Returns the shards that lack what was acknowledged: they take no ballots until a new epoch has begun.
    """
    with db.read() as tx:
        known = acknowledged_marks.all_marks(tx)
    present = [(shard.number, known.get((shard.number, shard.epoch))) for shard in log.describe_all()]
    return [shard for shard, mark in present if mark is not None and log.compare(shard, mark) == "behind"]


def is_settled(shard: Shard) -> bool:
    """Return whether a shard takes ballots, and marks from before its server's last restart have had time to be written."""
    return shard.ready and shard.now_ms - shard.resumed_ms >= SETTLE_MS


def finish_closings(db: Database) -> list[int]:
    """Make the tallies of drained closings final. Returns the competitions that are closed now."""
    with db.read() as tx:
        closing = competitions.in_state(tx, "closing")
    return [competition for competition in closing if finish_closing(db, competition, by=ACTOR)]


def settle_left_addresses(db: Database, log: BallotLog) -> None:
    """Settle whether people who left an address while voting was open had voted: only then is the address spent.

    Not before their old logins can no longer vote. An accepted ballot counts, recorded or not.
    """
    with db.read() as tx:
        unsettled = left_addresses.unsettled(tx, after_s=SETTLE_AFTER_S, limit=SETTLE_STEP)
        recorded = {left.id for left in unsettled if votes.choice_of(tx, left.competition, left.voter) is not None}
    for left in unsettled:
        has_voted = left.id in recorded or log.stored_choice(left.competition, left.voter) is not None
        with db.transaction(by=ACTOR) as tx:
            left_addresses.settle(tx, left.id, has_voted=has_voted)


def push_what_is_missing(db: Database, log: BallotLog, shards: list[Shard], announced: AnnouncedRules) -> set[int]:
    """Push to every ready shard the rules this worker has not pushed to it yet; it takes those newer than its own (R7).

    Returns competitions that a shard has forgotten while PostgreSQL does not say so.
    """
    with db.read() as tx:
        known = [Rules.from_competition(competition) for competition in competitions.known_to_log(tx)]
    forgotten: set[int] = set()
    for shard in shards:
        life = (shard.number, shard.epoch, shard.instance)
        versions = announced.setdefault(life, {})
        news = [rules for rules in known if versions.get(rules.competition, 0) < rules.version]
        if not shard.ready or not news:
            continue
        pushed = log.push_rules(shard, news)
        forgotten |= pushed.forgotten
        if pushed.status == "ok":
            versions.update((rules.competition, rules.version) for rules in news)
    return forgotten
