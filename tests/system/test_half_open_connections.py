"""What goes on when a connection between two parts leads nowhere any more without a word, or a store is frozen.

The numbers are promises of docs/guarantees.md: recording goes on by itself within 10 s, a press is answered within 2 s.
"""

import time
from collections.abc import Callable, Iterator

import pytest

from tests import flows
from tests import synthetic_voters as crowd
from tests.conftest import PASSWORD
from tests.flows import FLOWS, People, Pressed, press
from tests.module_wide import database_url, environment, redis_url
from tests.proxy import Proxy
from tests.servers import Pair
from tests.stack import Stack, wait_until
from vote.db import users
from vote.db.pool import Database
from vote.domain.competition import Competition
from vote.identity.revocations import STALE_AFTER_S

__all__ = ["database_url", "environment", "redis_url"]
pytestmark = pytest.mark.slow

MakeCompetition = Callable[..., Competition]
GOES_ON_WITHIN_S = 10.0  # promised
ANSWERED_WITHIN_S = 2.0  # promised of a press
PAGE_WITHIN_S = 12.0  # PAGE_WAIT_S of the front door, and what a request takes on a busy machine


@pytest.fixture(scope="module")
def system(
    environment: dict[str, str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Stack, dict[str, Proxy]]]:
    """One web process, one worker, a proxy on each way between parts: each test leaves them working."""
    folder = tmp_path_factory.mktemp("flows")
    with flows.proxied({**environment, "WEB_CONCURRENCY": "1"}, folder / "stack") as found:
        yield found


@pytest.fixture
def people(
    system: tuple[Stack, dict[str, Proxy]], owner: Database, make_competition: MakeCompetition
) -> Iterator[People]:
    """People who vote all the time; some have already."""
    one = People(system[0], make_competition().id, crowd.make_voters(owner, 2_000))
    one.start()
    wait_until(lambda: len(one.pressed) > 30 and {press.status for press in one.pressed[-10:]} == {202})
    yield one
    one.finish()


def voters_recorded(owner: Database) -> set[int]:
    return {voter for _, voter in crowd.recorded(owner)}


def check_goes_on(people: People, owner: Database, since: float) -> None:
    """What was accepted after this moment is recorded within the promised time."""

    def is_recorded() -> bool:
        return bool(set(people.accepted_since(since)) & voters_recorded(owner))

    wait_until(is_recorded, what="recording goes on", within=since + GOES_ON_WITHIN_S - time.monotonic())


def check_all(pressed: list[Pressed], owner: Database, *, allowed: set[int]) -> None:
    """Everybody had an answer of the allowed ones in time, and who was told 202 is recorded."""
    assert {one.status for one in pressed} <= allowed, [one for one in pressed if one.status not in allowed][:3]
    accepted = {one.voter for one in pressed if one.status == 202}
    wait_until(lambda: accepted <= voters_recorded(owner), what="all that was accepted is recorded")


@pytest.mark.parametrize("flow", FLOWS)
def test_voting_and_recording_go_on_when_connections_go_dead_without_a_word(
    flow: str, system: tuple[Stack, dict[str, Proxy]], people: People, owner: Database
) -> None:
    stack, ways = system

    silenced = time.monotonic()
    ways[flow].silence_open()

    check_goes_on(people, owner, silenced)
    wait_until(lambda: stack.get("/ready").status == 200, what="ready")
    assert stack.get("/").status == 200
    check_all(people.finish(), owner, allowed={202, 503} if flow == "web to the log" else {202})


def test_a_log_out_is_heard_over_a_new_connection(
    system: tuple[Stack, dict[str, Proxy]], owner: Database, make_competition: MakeCompetition
) -> None:
    (stack, ways), competition = system, make_competition()
    stays, leaves = crowd.make_voters(owner, 2)
    assert [press(stack, competition.id, one).status for one in (stays, leaves)] == [202, 202]

    ways["web to PostgreSQL"].silence_open()
    logged_in = time.time()
    with owner.transaction(by="tests") as tx:
        users.revoke(tx, f"user:{leaves}", keep_hours=24)

    def says(voter: int) -> int:
        return press(stack, competition.id, voter, logged_in_at=logged_in - 60).status

    wait_until(lambda: says(leaves) == 401, what="the log-out is heard", within=STALE_AFTER_S)
    assert says(stays) == 200


def test_a_process_that_is_cut_off_from_postgresql_says_so_and_trusts_no_login_from_before(
    system: tuple[Stack, dict[str, Proxy]], owner: Database, make_competition: MakeCompetition
) -> None:
    (stack, ways), competition = system, make_competition()
    voters = crowd.make_voters(owner, 50)
    before = time.time() - 60
    assert press(stack, competition.id, voters[0], logged_in_at=before).status == 202

    ways["web to PostgreSQL"].cut()
    with owner.transaction(by="tests") as tx:
        users.revoke(tx, f"user:{voters[0]}", keep_hours=24)
    wait_until(
        lambda: stack.get("/ready").status == 503, what="not ready: the worker reaches PostgreSQL, the web does not"
    )
    told = stack.get("/ready").json["reasons"]
    later = time.time()

    assert any("cut off from PostgreSQL" in reason for reason in told), told
    assert press(stack, competition.id, voters[0], logged_in_at=before).status == 503
    assert press(stack, competition.id, voters[1], logged_in_at=before).status == 503
    assert press(stack, competition.id, voters[2], logged_in_at=later).status == 202

    ways["web to PostgreSQL"].heal()
    wait_until(lambda: stack.get("/ready").status == 200, what="ready again")
    assert press(stack, competition.id, voters[0], logged_in_at=before).status == 401
    assert press(stack, competition.id, voters[1], logged_in_at=before).status == 202


def test_while_postgresql_is_frozen_votes_are_accepted_and_pages_are_refused_in_time(
    system: tuple[Stack, dict[str, Proxy]], people: People, owner: Database, servers: Pair
) -> None:
    stack, _ = system
    servers.freeze_database()
    frozen = time.monotonic()
    try:
        page = stack.post("/login", {"username": "somebody", "password": PASSWORD})
        page_took = time.monotonic() - frozen
        wait_until(lambda: time.monotonic() > frozen + 2 * STALE_AFTER_S, what="long enough to be missed")
        ready = stack.get("/ready")
    finally:
        servers.thaw_database()
    check_goes_on(people, owner, time.monotonic())

    assert (page.status, ready.status) == (503, 200)
    assert page_took < PAGE_WITHIN_S
    check_all(people.finish(), owner, allowed={202})


def test_while_the_log_is_frozen_each_press_is_told_503_in_time(
    system: tuple[Stack, dict[str, Proxy]], people: People, owner: Database, servers: Pair
) -> None:
    slowest = max(one.seconds for one in people.pressed)  # what this machine adds without the fault
    servers.freeze_log()
    frozen = time.monotonic()
    try:
        wait_until(lambda: time.monotonic() > frozen + 8, what="long enough for a queue to grow")
    finally:
        servers.thaw_log()
    thawed = time.monotonic()
    check_goes_on(people, owner, thawed)

    pressed = people.finish()
    meanwhile = [one for one in pressed if frozen <= one.began < thawed - ANSWERED_WITHIN_S]
    assert {one.status for one in meanwhile} == {503}
    assert max(one.seconds for one in meanwhile) < ANSWERED_WITHIN_S + slowest
    check_all(pressed, owner, allowed={202, 503})


def test_a_cache_that_says_nothing_hinders_nobody(
    system: tuple[Stack, dict[str, Proxy]], people: People, owner: Database
) -> None:
    stack, ways = system
    silenced = time.monotonic()
    ways["web to the cache"].cut()

    check_goes_on(people, owner, silenced)
    assert stack.get("/").status == 200
    ways["web to the cache"].heal()
    check_all(people.finish(), owner, allowed={202})


def test_operators_are_told_that_no_worker_works_and_that_recording_stands_still(
    system: tuple[Stack, dict[str, Proxy]], owner: Database, make_competition: MakeCompetition
) -> None:
    (stack, _), competition, voters = system, make_competition(), crowd.make_voters(owner, 1)

    def warnings() -> str:
        return "; ".join(stack.get("/ready").json["warnings"])

    wait_until(lambda: "worker" not in warnings(), what="the worker is seen to work")
    stack.stop_worker()
    assert press(stack, competition.id, voters[0]).status == 202

    wait_until(lambda: "no worker has run for" in warnings(), what="its silence is told")
    wait_until(lambda: "recording has stalled" in warnings() in warnings(), what="its work is missed")
    assert stack.get("/ready").status == 200, "votes are accepted all the same"

    stack.start_worker()
    wait_until(lambda: "worker" not in warnings() and "recording" not in warnings(), what="it works again")
