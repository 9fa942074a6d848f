"""Opens and closes competitions on time, tells ready shards what they do not know yet, and finishes closings (R7, R8)."""

from vote.actions import competitions as change
from vote.actions.closing import finish_closing
from vote.actions.holding import release_overdue
from vote.ballotlog.entries import Rules
from vote.ballotlog.log import BallotLog, Shard
from vote.db import competitions, users
from vote.db.pool import Database
from vote.errors import Conflict, NotFound

ACTOR = "schedule"
REPEAT_ERASURE_S = 10  # an entry that is on its way is recorded long before

# Rules versions that were pushed, per life of a shard (number, epoch, instance) and competition.
Told = dict[tuple[int, str, str], dict[int, int]]


def run_due(db: Database, log: BallotLog) -> list[tuple[int, str]]:
    """Open and close what is due, and end holds whose process is gone. Returns what was changed.

    Several workers may try: the second finds it done.
    """
    with db.read() as tx:
        due = competitions.due(tx)
    done: list[tuple[int, str]] = [(one, "released") for one in release_overdue(db, log, by=ACTOR)]
    for competition_id, state in due:
        verb = change.open_voting if state == "open" else change.close_voting
        try:
            verb(db, log, competition_id, by=ACTOR)
        except (Conflict, NotFound):
            continue  # somebody changed it in between; the next look sees how it stands
        done.append((competition_id, state))
    return done


def finish_closings(db: Database) -> list[int]:
    """Make the tallies of drained closings final. Returns the competitions that are closed now."""
    with db.read() as tx:
        closing = competitions.in_state(tx, "closing")
    return [one for one in closing if finish_closing(db, one, by=ACTOR)]


def repeat_erasures(db: Database, log: BallotLog) -> None:
    """Ask the log again for erasures that are not recorded (R10). A second entry changes nothing."""
    with db.read() as tx:
        people = users.erasures_to_repeat(tx, after_s=REPEAT_ERASURE_S)
    for person in people:
        log.append_erasure(person)


def push_what_is_missing(db: Database, log: BallotLog, shards: list[Shard], told: Told) -> list[tuple[Shard, int]]:
    """Tell every ready shard the rules it was not told yet by this worker; it takes those newer than its own (R7).

    Returns shards that have forgotten a competition there is news of: it was opened again (memory.py).
    """
    with db.read() as tx:
        known = [Rules.of(one) for one in competitions.known_to_log(tx)]
    forgotten: list[tuple[Shard, int]] = []
    for shard in shards:
        life = (shard.number, shard.epoch, shard.instance)
        versions = told.setdefault(life, {})
        news = [rules for rules in known if versions.get(rules.competition, 0) < rules.version]
        if not shard.ready or not news:
            continue
        pushed = log.push_news(shard, news)
        forgotten += [(shard, competition) for competition in sorted(pushed.forgotten)]
        if pushed.word == "ok":
            versions.update(
                (rules.competition, rules.version) for rules in news if rules.competition not in pushed.forgotten
            )
    return forgotten
