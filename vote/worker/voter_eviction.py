"""Evicts voters of competitions that are over from the log's memory, and restores them before such a competition reopens.

The log's memory is for those who may still vote. A shard that has forgotten a competition takes no ballot for it and no
newer rules, whoever pushes them, until its voters are back from PostgreSQL: nobody can vote a second time.
"""

from vote.ballotlog.entries import Rules
from vote.ballotlog.log import BallotLog
from vote.ballotlog.shard import Shard
from vote.db import competitions, retention, shard_positions, votes
from vote.db.pool import Database
from vote.domain.ballot import shard_of
from vote.worker.make_ready import Progressed, ignore_progress

ACTOR = "keeping"


def forget(db: Database, log: BallotLog, *, keep_hours: int) -> list[int]:
    """Have every shard forget what is closed and safe. Returns the competitions that all shards have forgotten.

    The log comes first: when this ends halfway, the next call does it again, and a second time changes nothing.
    """
    with db.read() as tx:
        over = retention.to_forget(tx, keep_hours=keep_hours)
    if not over:
        return []
    # Shards refuse versions that are not their newest: a competition reopened meanwhile stays as it is.
    if not all([log.forget(shard, over) == "ok" for shard in log.describe_all()]):
        return []
    with db.transaction(by=ACTOR) as tx:
        return retention.mark_forgotten(tx, over)


def remember(
    db: Database, log: BallotLog, shard: Shard, competition: int, *, progressed: Progressed = ignore_progress
) -> bool:
    """Restore the voters of a reopened competition to a shard, then push its rules. Returns False to try again later.

    `shard` was described before it was drained: all its ballots of this competition lie at or before its last entry, and
    must be recorded, so that PostgreSQL knows every voter (R5). Its row is locked meanwhile.
    """
    with db.transaction(by=ACTOR) as tx:
        position = shard_positions.lock_shard(tx, shard.number)
        reopened = competitions.find(tx, competition)
        if reopened is None or position is None or position.epoch != shard.epoch or position.position < shard.last:
            return False
        rules = Rules.from_competition(reopened)
        for chunk in votes.all_choices(tx, competition):
            progressed()
            choices = {
                voter: choice
                for voter, choice in chunk.items()
                if shard_of(competition, voter, log.shards) == shard.number
            }
            if log.remember(shard, rules, choices) != "ok":
                return False
        now = log.describe(shard.number)._replace(epoch=shard.epoch, instance=shard.instance)
        return log.push_remembered(now, rules) == "ok"
