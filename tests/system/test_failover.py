"""A log with a replica: the primary is killed or cut off, the replica is promoted, nothing that was accepted is lost."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests import synthetic_voters as crowd
from tests.casting import installation_of
from tests.sentinel import ReplicatedLog, replicated_log
from tests.servers import Pair
from tests.stack import Stack, running, wait_until
from tests.synthetic_voters import Ballot
from vote.actions import competitions as change
from vote.ballotlog.log import BallotLog
from vote.config import Settings
from vote.db import shard_positions
from vote.db.pool import Database
from vote.domain.competition import Competition
from vote.domain.person import Person

pytestmark = pytest.mark.slow

# 4 s on two idle cores, promised within 10; where Sentinels get no processor time they fail over twice.
FLOWS_WITHIN_S = 30.0


@pytest.fixture
def replicated(servers: Pair, tmp_path: Path) -> Iterator[ReplicatedLog]:
    folder = tmp_path / "log"
    folder.mkdir()
    with replicated_log(servers.programs.redis_server, folder) as log:
        yield log


@pytest.fixture(params=["1", "0"], ids=["waited for", "not waited for"])
def waited(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def stack(environment: dict[str, str], replicated: ReplicatedLog, waited: str, tmp_path: Path) -> Iterator[Stack]:
    settings = {**environment, "BALLOT_LOG_URL": replicated.url, "BALLOT_LOG_MIN_REPLICAS": waited}
    with running(settings, tmp_path / "stack") as one:
        yield one


@pytest.fixture
def competition(
    settings: Settings, owner: Database, replicated: ReplicatedLog, stack: Stack, organiser: Person
) -> Iterator[Competition]:
    log = BallotLog(replicated.url, 8, installation_of(settings))
    yield change.create(owner, log, by=organiser, name="Which stage?", options=["River stage", "Hall stage"])
    log.close()


def drained(stack: Stack) -> bool:
    return b"vote_pending_ballots 0.0" in stack.get("/metrics").body


def press_until_known(stack: Stack, ballots: list[Ballot]) -> list[crowd.Told]:
    """Everybody presses again until they are told; only the last answer of each is kept."""
    told: list[crowd.Told] = []

    def everybody_knows() -> bool:
        nonlocal ballots
        answers = crowd.press(stack.url, ballots)
        told.extend(one for one in answers if one.status not in (0, 503))
        ballots = [one.ballot for one in answers if one.status in (0, 503)]
        return not ballots

    wait_until(everybody_knows, what="everybody was told", within=60)
    return told


@pytest.mark.parametrize("how", ["killed", "frozen"])
def test_a_failover_loses_nothing_that_was_waited_for_and_nothing_in_silence(
    stack: Stack, owner: Database, replicated: ReplicatedLog, competition: Competition, waited: str, how: str
) -> None:
    voters = crowd.make_voters(owner, 2_000)
    ballots = [Ballot(competition.id, voter, "ab"[voter % 2]) for voter in voters]

    with ThreadPoolExecutor(1) as background:
        pressing = background.submit(press_until_known, stack, ballots)
        wait_until(lambda: len(crowd.recorded(owner)) > 100)
        lost_one = replicated.kill_primary() if how == "killed" else replicated.freeze_primary()
        wait_until(lambda: replicated.primary() != lost_one, what="promotion")
        if how == "killed":
            replicated.come_back(lost_one)
        else:
            replicated.thaw(lost_one)
        told = pressing.result()
    wait_until(lambda: drained(stack))

    stored, votes = crowd.acknowledged(told), crowd.recorded(owner)
    with owner.read() as tx:
        gaps = shard_positions.open_gaps(tx)
    if waited == "1":
        assert {key: votes.get(key) for key in stored} == stored
        assert gaps == []
    else:
        assert {gap.shard for gap in gaps} == set(range(8)), "what may be lost is said, for every shard (R6)"


def test_votes_flow_again_soon_after_a_killed_primary(
    stack: Stack, owner: Database, replicated: ReplicatedLog, competition: Competition, waited: str
) -> None:
    voters = crowd.make_voters(owner, 2)
    assert press_until_known(stack, [Ballot(competition.id, voters[0], "a")])

    dead = replicated.kill_primary()
    replicated.come_back(dead)

    wait_until(
        lambda: crowd.press(stack.url, [Ballot(competition.id, voters[1], "a")])[0].status in (200, 202),
        what="votes flow again",
        within=FLOWS_WITHIN_S,
    )
