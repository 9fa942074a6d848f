"""The log comes back from an older copy of its disk while votes in it are not recorded: noticed, whatever the copy's age.

What happens to a volume or a virtual machine whose snapshot is taken back. Every vote that is lost lies in a gap, and no
result is final before an admin has decided.
"""

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest

from tests import synthetic_voters as crowd
from tests.servers import Pair
from tests.stack import Stack, wait_until
from tests.synthetic_voters import Ballot
from vote.actions import closing
from vote.actions import competitions as change
from vote.ballotlog.log import BallotLog
from vote.db import competitions, shard_positions
from vote.db.pool import Database
from vote.domain import ballot
from vote.domain.competition import Competition
from vote.domain.person import Person

pytestmark = pytest.mark.slow

MakeCompetition = Callable[..., Competition]
VOTERS, EARLY = 60, 20


class Place(NamedTuple):
    shard: int
    epoch: str
    position: int


def places(log: BallotLog) -> dict[tuple[int, int], Place]:
    """Where each voter's ballot lies."""
    return {
        (entry.content.competition, entry.content.voter): Place(shard.number, shard.epoch, entry.position)
        for shard in log.describe_all()
        for entry in log.read_after(shard.number, 0, 100_000)
        if isinstance(entry.content, ballot.Ballot)
    }


def press_until_known(stack: Stack, competition: int, voters: list[int]) -> set[tuple[int, int]]:
    """Everybody votes, and again until they are told that it is stored."""
    stored: set[tuple[int, int]] = set()

    def all_know() -> bool:
        waiting = [Ballot(competition, voter, "a") for voter in voters if (competition, voter) not in stored]
        stored.update(crowd.acknowledged(crowd.press(stack.url, waiting)))
        return len(stored) == len(voters)

    wait_until(all_know)
    return stored


def is_recorded(owner: Database, votes: int) -> bool:
    with owner.read() as tx:
        return shard_positions.count_recorded(tx) >= votes


@pytest.mark.parametrize(
    "age", ["before the competition", "all but the backlog is recorded", "only the last is missing"]
)
def test_a_log_that_was_set_back_is_noticed(
    age: str,
    stack: Stack,
    servers: Pair,
    owner: Database,
    log: BallotLog,
    organiser: Person,
    make_user: Callable[..., object],
    make_competition: MakeCompetition,
    tmp_path: Path,
) -> None:
    copy, admin = tmp_path / "copy", make_user(role="admin").person  # type: ignore[attr-defined]
    voters = crowd.make_voters(owner, VOTERS)
    if age == "before the competition":
        stack.freeze_worker()
        servers.copy_log(copy)
    one = make_competition()
    first, then = voters[:EARLY], voters[EARLY:]
    if age == "only the last is missing":
        stack.freeze_worker()
    told = press_until_known(stack, one.id, first)
    if age == "all but the backlog is recorded":
        wait_until(lambda: is_recorded(owner, EARLY))
        stack.freeze_worker()
    if not copy.exists():
        servers.copy_log(copy)
    told |= press_until_known(stack, one.id, then)
    lay = places(log)

    servers.set_log_back(copy)
    stack.thaw_worker()
    stack.wait_ready()
    change.close_voting(owner, log, one.id, by=organiser)
    wait_until(lambda: needs_admin_decision(owner, one.id))

    lost = told - crowd.recorded(owner).keys()
    assert lost >= {(one.id, voter) for voter in then}, "the copy is older than these"
    with owner.read() as tx:
        assert competitions.in_state(tx, "closing") == [one.id], "final, though votes are lost"

    def outside_a_gap() -> list[tuple[int, int]]:
        with owner.read() as tx:
            gaps = {(gap.shard, gap.old_epoch): gap.old_position for gap in shard_positions.open_gaps(tx)}
        found = {key: gaps.get((lay[key].shard, lay[key].epoch)) for key in lost}
        return [key for key, after in found.items() if after is None or after >= lay[key].position]

    # What was acknowledged within the last second is known to the web process alone, which compares a moment later.
    wait_until(lambda: not outside_a_gap(), what="every lost vote lies in a gap")
    closing.finish_over(owner, one.id, by=admin, reason="Looked into.")


def needs_admin_decision(owner: Database, competition: int) -> bool:
    with owner.read() as tx:
        found = competitions.find(tx, competition)
        return found is not None and found.state == "closing" and closing.close_blockers(tx, found).needs_admin_decision
