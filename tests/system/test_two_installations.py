"""R11: a second installation is pointed at a log by mistake, and neither harms the other; `vote log` says whose it is."""

import json
import subprocess
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import redis

from tests import synthetic_voters as crowd
from tests.casting import cast, installation_of
from tests.conftest import JWT_SECRET, environment_of
from tests.stack import VOTE, Stack, wait_until
from tests.synthetic_voters import Ballot
from vote import config
from vote.actions import competitions as change
from vote.auth import create_jwt_token
from vote.ballotlog.log import BallotLog
from vote.config import Settings
from vote.db import competitions, shard_positions, users
from vote.db.pool import Database
from vote.domain.person import Person

pytestmark = pytest.mark.slow

VOTERS = 20
STARTED_WITHIN_S = 120.0  # twice as many processes as elsewhere


class House(NamedTuple):
    """One installation: its database, a client of the log, its processes, and what is in it."""

    stack: Stack
    settings: Settings
    owner: Database
    log: BallotLog
    organiser: Person
    voters: list[int]


@contextmanager
def installed(database_url: str, redis_url: str, folder: Path, voters: list[int] | None = None) -> Iterator[House]:
    """One on a log; `voters`: the numbers of its people, as if it had given them itself."""
    folder.mkdir()
    environment = environment_of(database_url, redis_url, folder)
    settings = config.load(environment)
    owner = Database(settings.database("owner"), size=2, name="vote tests")
    log = BallotLog(settings.log_url, settings.vote_shards, installation_of(settings))
    with owner.transaction(by="tests") as tx:
        organiser = users.insert(tx, username="noor", email="n@example.com", password_hash="-", role="organiser")
    if voters is None:
        voters = crowd.make_voters(owner, VOTERS)
    else:
        with owner.transaction(by="tests") as tx:
            tx.execute(
                "INSERT INTO users (id, username, email, password_hash) OVERRIDING SYSTEM VALUE"
                " SELECT id, 'crowd-' || id, 'crowd-' || id || '@example.org', '-' FROM unnest(%s::bigint[]) id",
                (voters,),
            )
    stack = Stack(environment, folder)
    try:
        yield House(stack, settings, owner, log, Person(organiser, "noor", "organiser"), voters)
    finally:
        stack.stop()
        log.close()
        owner.close()


def create(house: House) -> int:
    return change.create(house.owner, house.log, by=house.organiser, name="Which?", options=["River", "Hall"]).id


def alive(house: House) -> bool:
    try:
        return house.stack.get("/health").status == 200
    except OSError:
        return False


def reasons(house: House) -> list[str]:
    answer = house.stack.get("/ready")
    return [] if answer.status == 200 else answer.json["reasons"]


@pytest.mark.parametrize("clash", ["the first is at work", "both start"])
def test_neither_installation_harms_the_other(
    clash: str, database_url: str, other_database_url: str, redis_url: str, tmp_path: Path
) -> None:
    with installed(database_url, redis_url, tmp_path / "a") as a:
        if clash == "the first is at work":
            a.stack.wait_ready()
        with installed(other_database_url, redis_url, tmp_path / "b", a.voters) as b:
            wait_until(lambda: alive(a) and alive(b), within=STARTED_WITHIN_S)
            wait_until(
                lambda: any("belongs to installation" in one for house in (a, b) for one in reasons(house)),
                within=STARTED_WITHIN_S,
            )
            mine, stranger = (a, b) if not any("belongs to" in one for one in reasons(a)) else (b, a)
            assert mine is a or clash == "both start"
            mine.stack.wait_ready()
            _harm(mine, stranger)


def _harm(mine: House, stranger: House) -> None:
    """The stranger has a competition and people of the same numbers, and does all it can."""
    ids = [str(house.log.installation.id) for house in (mine, stranger)]
    assert all(one in reasons(stranger)[0] for one in ids), "the reason names both"
    number, theirs = create(mine), create(stranger)
    assert number == theirs, "a number of one means something in the other too"
    early = [Ballot(number, voter, "a") for voter in mine.voters[: VOTERS // 2]]
    assert {told.status for told in crowd.press(mine.stack.url, early)} == {202}

    pressed = crowd.press(stranger.stack.url, [Ballot(number, voter, "b") for voter in stranger.voters])
    assert {told.status for told in pressed} == {503}
    change.close_voting(stranger.owner, stranger.log, number, by=stranger.organiser)
    token = create_jwt_token(stranger.voters[-1], secret=JWT_SECRET)
    stranger.stack.request("DELETE", "/api/me", token=token)
    seen = len(stranger.stack.lines("worker"))
    wait_until(lambda: len(stranger.stack.lines("worker")) > seen + 1, what="its worker has looked twice more")

    late = [Ballot(number, voter, "a") for voter in mine.voters[VOTERS // 2 :]]
    assert {told.status for told in crowd.press(mine.stack.url, late)} == {202}, "it is open, and nobody was erased"
    wait_until(lambda: len(crowd.recorded(mine.owner)) == VOTERS)
    with mine.owner.read() as tx:
        assert competitions.in_state(tx, "open") == [number]
        assert tx.execute("SELECT count(*) FROM users WHERE erased_at IS NOT NULL").fetchone() == (0,)
        assert shard_positions.open_gaps(tx) == []
    with stranger.owner.read() as tx:
        for table in ("ballots", "votes", "unmatched_ballots", "rejected_ballots", "log_gaps", "log_marks"):
            assert tx.execute(f"SELECT count(*) FROM {table}").fetchone() == (0,), table  # type: ignore[arg-type]
    assert reasons(mine) == []


def run(environment: dict[str, str], *words: str, typed: str = "") -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*VOTE, "log", *words], env=environment, input=typed, capture_output=True, text=True, check=False, timeout=60
    )


@pytest.fixture
def others_log(
    settings: Settings, worker: Any, log: BallotLog, make_user: Callable[..., Any], make_competition: Callable[..., Any]
) -> BallotLog:
    """The log of an installation at work, with a ballot that is not recorded."""
    assert cast(settings, make_competition().id, make_user().id, "a").result == "accepted"
    return log


def test_a_log_of_another_installation_is_taken_over_empty(
    others_log: BallotLog, other_database_url: str, redis_url: str, tmp_path: Path
) -> None:
    former = str(others_log.installation.id)
    environment = environment_of(other_database_url, redis_url, tmp_path)
    ours = str(installation_of(config.load(environment)).id)

    owner = run(environment, "owner", "--json")
    assert (owner.returncode, json.loads(owner.stdout)["installation"]) == (1, ours)
    assert set(json.loads(owner.stdout)["log"]) == {former}
    for answer in ("", "n\n"):
        assert run(environment, "adopt", typed=answer).returncode == 1, "without a yes nothing is taken over"
    assert {one for one, _ in others_log.owners()} == {former}
    adopted = run(environment, "adopt", "--yes", "--json")
    assert adopted.returncode == 0, adopted.stderr
    assert json.loads(adopted.stdout) == {"installation": ours, "adopted": [former], "kept": False}

    with redis.Redis.from_url(redis_url, decode_responses=True) as client:
        assert {key.rpartition(":")[2] for key in client.keys("vote:{*")} == {"state"}, (
            "nothing of the former owner is left"
        )
    with installed(other_database_url, redis_url, tmp_path / "b") as b:
        b.stack.wait_ready()
        assert crowd.press(b.stack.url, [Ballot(create(b), b.voters[0], "a")])[0].status == 202
        wait_until(lambda: len(crowd.recorded(b.owner)) == 1)
        with b.owner.read() as tx:
            audited = tx.execute(
                "SELECT actor, after ->> 'value' FROM audit_log WHERE subject_id = 'adopted_log'"
            ).fetchall()
    assert [(actor, value.split(" ")[0]) for actor, value in audited] == [("vote log adopt", former)]
    again = run(environment, "adopt", "--yes")
    assert (again.returncode, "nothing to adopt" in again.stderr) == (1, True)


def test_a_database_from_before_ids_goes_on_with_its_log(
    environment: dict[str, str], settings: Settings, owner: Database, others_log: BallotLog, tmp_path: Path
) -> None:
    """Restored from a backup of before installations had an id, it was given another one: its ballots are not lost."""
    former = str(others_log.installation.id)
    with owner.transaction(by="tests") as tx:
        tx.execute("UPDATE settings SET value = %s WHERE key = 'installation'", ("0" * 32,))
    assert run(environment, "owner").returncode == 1

    kept = run(environment, "adopt", "--keep", "--yes")

    assert (kept.returncode, kept.stderr) == (0, "")
    assert installation_of(settings).id == former
    with closing(others_log):
        replayed = subprocess.run(
            [*VOTE, "replay", "--json"], env=environment, capture_output=True, text=True, check=True
        )
    assert json.loads(replayed.stdout.splitlines()[-1])["recorded"] == 1
    with owner.read() as tx:
        assert shard_positions.open_gaps(tx) == []
