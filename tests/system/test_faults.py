"""Things are killed and frozen while people vote: what was acknowledged is counted, exactly once."""

import random
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests import synthetic_voters as crowd
from tests.servers import Pair
from tests.stack import Stack, running, wait_until
from tests.synthetic_voters import Ballot
from vote.db import shard_positions, tallies
from vote.db.pool import Database
from vote.db.users import Account
from vote.domain.competition import Competition

pytestmark = pytest.mark.slow

MakeUser = Callable[..., Account]
MakeCompetition = Callable[..., Competition]


@pytest.fixture
def two_workers(environment: dict[str, str], tmp_path: Path) -> Iterator[Stack]:
    """The running system with two workers."""
    with running(environment, tmp_path / "stack", workers=2) as stack:
        yield stack


def drained(stack: Stack) -> bool:
    lines = stack.get("/metrics").body.decode().splitlines()
    return "vote_pending_ballots 0.0" in lines


def check_counted(owner: Database, told: list[crowd.Told], competitions: list[Competition]) -> None:
    """Lost 0, duplicate 0, phantom 0, and the tally is the count of votes."""
    stored, votes = crowd.acknowledged(told), crowd.recorded(owner)
    assert {key: votes.get(key) for key in stored} == stored, "an acknowledged ballot is lost or another one counts"
    refused = {(t.ballot.competition, t.ballot.voter, t.ballot.choice) for t in told if 400 <= t.status < 500}
    assert not refused & {(*key, choice) for key, choice in votes.items()}, "a refused ballot is counted"
    with owner.read() as tx:
        shown = tallies.read(tx, [one.id for one in competitions])
        journal = tx.execute("SELECT count(*) FROM ballots").fetchone()
        assert journal == (len(votes),), "one ballot of each voter is in the journal"
    for one in competitions:
        assert {key: n for key, n in shown[one.id].counts.items() if n} == dict(crowd.tally_of(votes, one.id))


def test_ten_thousand_votes_survive_five_killed_workers(
    stack: Stack, owner: Database, make_competition: MakeCompetition
) -> None:
    dice = random.Random(20)
    competitions = [make_competition() for _ in range(10)]
    voters = crowd.make_voters(owner, 1000)
    ballots = [Ballot(one.id, voter, dice.choice("ab")) for one in competitions for voter in voters]
    dice.shuffle(ballots)

    with ThreadPoolExecutor(1) as background:
        pressing = background.submit(crowd.press, stack.url, ballots)
        for kills in range(1, 6):
            wait_until(lambda enough=kills * 1500: _count(owner) >= enough, what=f"kill {kills}")
            stack.kill_worker()
        told = pressing.result()

    wait_until(lambda: drained(stack))
    assert {one.status for one in told} == {202}
    check_counted(owner, told, competitions)
    assert len(crowd.recorded(owner)) == 10_000


def test_a_frozen_worker_is_taken_over_and_changes_nothing_when_it_wakes(
    two_workers: Stack, owner: Database, make_competition: MakeCompetition
) -> None:
    stack, competition = two_workers, make_competition()
    voters = crowd.make_voters(owner, 600)

    told = crowd.press(stack.url, [Ballot(competition.id, voter, "a") for voter in voters[:200]])
    stack.freeze_worker(0)
    told += crowd.press(stack.url, [Ballot(competition.id, voter, "b") for voter in voters[200:400]])
    # Another worker takes over within 5 s; twice that is a broken machine.
    wait_until(lambda: drained(stack), within=10, what="taken over from a frozen worker")
    stack.thaw_worker(0)
    told += crowd.press(stack.url, [Ballot(competition.id, voter, "a") for voter in voters[400:]])

    wait_until(lambda: drained(stack))
    check_counted(owner, told, [competition])
    assert len(crowd.recorded(owner)) == 600


def test_a_frozen_worker_hides_no_ballot_from_a_delete(
    stack: Stack, owner: Database, make_competition: MakeCompetition, make_user: MakeUser, token_of: Callable[..., str]
) -> None:
    competition, admin = make_competition(), token_of(make_user(role="admin"))
    path, any_version = f"/api/admin/competitions/{competition.id}", {"If-Match": "*"}
    stack.freeze_worker()
    assert stack.vote(competition.id, "a", token_of(make_user())).status == 202

    deleted = stack.request("DELETE", path, token=admin, headers=any_version)
    renamed = stack.request("PATCH", path, token=admin, headers=any_version, body={"name": "Another question?"})
    stack.thaw_worker()

    assert (deleted.status, renamed.status) == (409, 409)
    wait_until(lambda: drained(stack))
    assert stack.results(competition.id)["total"] == 1


def test_votes_are_accepted_while_postgresql_is_away(
    stack: Stack, owner: Database, servers: Pair, make_competition: MakeCompetition
) -> None:
    competition, voters = make_competition(), crowd.make_voters(owner, 300)
    told = crowd.press(stack.url, [Ballot(competition.id, voter, "a") for voter in voters[:50]])
    wait_until(lambda: drained(stack))

    servers.kill_database()
    away = crowd.press(stack.url, [Ballot(competition.id, voter, "b") for voter in voters[50:]])
    still_ready = stack.get("/ready").status
    servers.restart_database()

    assert {one.status for one in away} == {202}
    assert still_ready == 200
    wait_until(lambda: drained(stack))
    check_counted(owner, told + away, [competition])


def test_a_killed_log_loses_nothing_that_was_accepted(
    stack: Stack, owner: Database, servers: Pair, make_competition: MakeCompetition
) -> None:
    competition, voters = make_competition(), crowd.make_voters(owner, 2000)
    stack.stop_worker()

    with ThreadPoolExecutor(1) as background:
        pressing = background.submit(
            crowd.press, stack.url, [Ballot(competition.id, voter, "ab"[voter % 2]) for voter in voters]
        )
        wait_until(
            lambda: (
                b"vote_accepted_total 0" not in stack.get("/metrics").body
                and b"vote_accepted_total" in stack.get("/metrics").body
            )
        )
        servers.kill_log()
        down = stack.vote(competition.id, "a", None)
        servers.restart_log()
        told = pressing.result()
    assert down.status == 401, "who it is, is said before what is down"
    cold = stack.get("/ready")
    stack.start_worker()
    stack.wait_ready()
    # Everybody who was told 503, or nothing, presses again: it cannot count twice.
    unsure = [one.ballot for one in told if one.status in (0, 503)]
    told = [one for one in told if one.status not in (0, 503)] + crowd.press(stack.url, unsure)

    assert cold.status == 503
    assert "wait for a worker" in cold.json["reasons"][0]
    assert {one.status for one in told} <= {200, 202}
    wait_until(lambda: drained(stack))
    check_counted(owner, told, [competition])
    assert len(crowd.recorded(owner)) == 2000


def test_a_voter_is_told_503_with_retry_after_while_the_log_is_down(
    stack: Stack, servers: Pair, make_user: MakeUser, make_competition: MakeCompetition, token_of: Callable[..., str]
) -> None:
    competition, token = make_competition(), token_of(make_user())
    stack.vote(competition.id, "a", token)

    servers.kill_log()
    down = stack.vote(competition.id, "a", token)
    ready, alive = stack.get("/ready"), stack.get("/health")
    servers.restart_log()

    assert (down.status, down.headers["Retry-After"]) == (503, "1")
    assert "cannot count twice" in down.json["detail"]
    assert (ready.status, alive.status) == (503, 200)
    wait_until(lambda: stack.vote(competition.id, "a", token).status == 200)


def test_a_competition_closes_on_time_and_only_when_drained(
    stack: Stack, owner: Database, make_competition: MakeCompetition
) -> None:
    competition = make_competition(closes_at=datetime.now(UTC) + timedelta(seconds=3))
    voters = crowd.make_voters(owner, 301)

    told = crowd.press(stack.url, [Ballot(competition.id, voter, "a") for voter in voters[:300]])
    wait_until(lambda: stack.results(competition.id)["state"] == "closed")
    late = crowd.press(stack.url, [Ballot(competition.id, voters[300], "a")])

    assert late[0].status == 403
    check_counted(owner, told + late, [competition])
    with owner.read() as tx:
        assert shard_positions.open_gaps(tx) == []


def _count(owner: Database) -> int:
    with owner.read() as tx:
        return shard_positions.count_recorded(tx)
