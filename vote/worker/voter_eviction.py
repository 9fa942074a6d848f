"""What the log remembers of competitions that are over: it forgets their voters, and has them back before one opens again.

The memory of the log is for those who may still vote. A shard that has forgotten a competition takes no ballot for it and
no newer rules either, whoever pushes them, until its voters are back from PostgreSQL: nobody can vote a second time.
"""

from vote.ballotlog.entries import Rules
from vote.ballotlog.log import BallotLog
from vote.ballotlog.shard import Shard
from vote.db import competitions, positions, retention, votes
from vote.db.pool import Database
from vote.domain.ballot import shard_of
from vote.worker.make_ready import Progressed, no_matter

ACTOR = "keeping"


def forget(db: Database, log: BallotLog, *, keep_hours: int) -> list[int]:
    """Let every shard forget what is closed and safe. Returns the competitions that all shards have forgotten.

    The log is first: when it ends halfway, the next look does it again, and a second time changes nothing.
    """
    with db.read() as tx:
        over = retention.to_forget(tx, keep_hours=keep_hours)
    if not over:
        return []
    # Shards refuse versions that are not their newest: what was opened again meanwhile stays as it is.
    if not all([log.forget(shard, over) == "ok" for shard in log.describe_all()]):
        return []
    with db.transaction(by=ACTOR) as tx:
        return retention.mark_forgotten(tx, over)


def remember(
    db: Database, log: BallotLog, shard: Shard, competition: int, *, progressed: Progressed = no_matter
) -> bool:
    """Give a shard back the voters of a competition that was opened again, then its rules. False: try again later.

    `shard` as it was described before it was drained: all its ballots of this competition lie at or before its last
    entry then, and must be recorded, so that PostgreSQL knows every voter (R5). Its row is locked meanwhile.
    """
    with db.transaction(by=ACTOR) as tx:
        position = positions.lock_shard(tx, shard.number)
        found = competitions.find(tx, competition)
        if found is None or position is None or position.epoch != shard.epoch or position.position < shard.last:
            return False
        rules = Rules.from_competition(found)
        for chunk in votes.all_choices(tx, competition):
            progressed()
            mine = {
                voter: choice
                for voter, choice in chunk.items()
                if shard_of(competition, voter, log.shards) == shard.number
            }
            if log.remember(shard, rules, mine) != "ok":
                return False
        now = log.describe(shard.number)._replace(epoch=shard.epoch, instance=shard.instance)
        return log.push_remembered(now, rules) == "ok"
