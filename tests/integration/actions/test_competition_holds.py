"""Whether anybody has voted is decided against ballots that are being accepted at this very moment."""

import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.casting import cast, cast_all, installation_of
from vote.actions import competition_holds as holding
from vote.actions import competitions as change
from vote.ballotlog.log import BallotLog
from vote.config import Settings
from vote.db import competition_holds, competitions
from vote.db.pool import Database, Tx
from vote.db.users import Account
from vote.domain.competition import Competition
from vote.domain.person import Person
from vote.errors import Conflict, DatabaseUnavailable, LogUnavailable, NotFound
from vote.worker import schedule
from vote.worker.worker import Worker

MakeUser = Callable[..., Account]
MakeCompetition = Callable[..., Competition]

DOINGS: dict[str, Callable[[Database, BallotLog, int, Person], Any]] = {
    "rename": lambda db, log, one, by: change.change(db, log, one, by=by, if_match=None, name="Another question?"),
    "delete": lambda db, log, one, by: change.delete(db, log, one, by=by, if_match=None),
}


class Meddling(BallotLog):
    """A log in which something happens right after its ballots were looked for, or its rules announced."""

    def __init__(self, settings: Settings) -> None:
        super().__init__(settings.log_url, settings.vote_shards, installation_of(settings))
        self.after_look: list[Callable[[], object]] = []
        self.after_announcing: list[Callable[[], object]] = []

    def has_ballots(self, competition: int, *, under: int = 0) -> bool:
        found = super().has_ballots(competition, under=under)
        if self.after_look:
            self.after_look.pop(0)()
        return found

    def announce(self, rules: Any) -> bool:
        done = super().announce(rules)
        if self.after_announcing:
            self.after_announcing.pop(0)()
        return done


@pytest.fixture
def meddling(settings: Settings) -> Meddling:
    """The log of this test, to be meddled with."""
    return Meddling(settings)


@pytest.fixture
def one(worker: Worker, make_competition: MakeCompetition) -> Competition:
    """An open competition that nobody has voted in."""
    return make_competition()


def stored(db: Database, number: int) -> Competition | None:
    with db.read() as tx:
        return competitions.find(tx, number)


@pytest.mark.parametrize("doing", DOINGS)
def test_a_ballot_accepted_after_the_first_look_is_seen(
    doing: str, one: Competition, meddling: Meddling, settings: Settings, owner: Database, make_user: MakeUser,
    organiser: Person, worker: Worker,
) -> None:  # fmt: skip
    voters = [make_user().id for _ in range(2)]
    words: list[str] = []
    meddling.after_look = [lambda: words.append(cast(settings, one.id, voters[0], "a").result)]

    with pytest.raises(Conflict):
        DOINGS[doing](owner, meddling, one.id, organiser)

    found = stored(owner, one.id)
    assert found is not None
    assert (words, found.name, found.state, found.held_until) == (["accepted"], one.name, "open", None)
    assert found.revision == one.revision, "nobody's copy has become stale"
    assert cast(settings, one.id, voters[1], "a").result == "accepted", "voting goes on"


@pytest.mark.parametrize("doing", DOINGS)
def test_after_the_last_look_no_ballot_is_accepted(
    doing: str, one: Competition, meddling: Meddling, settings: Settings, owner: Database, make_user: MakeUser,
    organiser: Person,
) -> None:  # fmt: skip
    voter, words = make_user().id, []
    meddling.after_look = [lambda: None, lambda: words.append(cast(settings, one.id, voter, "a").result)]

    DOINGS[doing](owner, meddling, one.id, organiser)

    assert words == ["unknown"], "the voter is told 503, and nothing is stored"
    after = cast(settings, one.id, voter, "a").result
    assert after == ("accepted" if doing == "rename" else "unknown")


def test_a_hold_that_somebody_else_ended_decides_nothing(
    one: Competition, meddling: Meddling, log: BallotLog, settings: Settings, owner: Database, make_user: MakeUser,
    organiser: Person,
) -> None:  # fmt: skip
    def ended() -> None:
        change.change(owner, log, one.id, by=organiser, if_match=None, closes_at=datetime.now(UTC) + timedelta(days=1))
        cast(settings, one.id, make_user().id, "a")

    meddling.after_look = [lambda: None, ended]

    with pytest.raises(Conflict, match="at the same moment"):
        change.delete(owner, meddling, one.id, by=organiser, if_match=None)
    assert stored(owner, one.id) is not None


@pytest.mark.parametrize("doing", DOINGS)
def test_those_who_do_the_same_at_the_same_moment_do_it_one_after_the_other(
    doing: str, one: Competition, settings: Settings, log: BallotLog, owner: Database, organiser: Person,
    make_user: MakeUser,
) -> None:  # fmt: skip
    """Two admins, or two programs: nobody is told that the log is away, or that somebody else was quicker."""
    ready = threading.Barrier(4)

    def do(_number: int) -> str:
        ready.wait(timeout=10)
        try:
            DOINGS[doing](owner, log, one.id, organiser)
        except NotFound:
            return "not found"
        return "done"

    with ThreadPoolExecutor(4) as pool:
        told = sorted(pool.map(do, range(4)))

    assert told == (["done"] * 4 if doing == "rename" else ["done", *["not found"] * 3])
    found = stored(owner, one.id)
    assert found is None or (found.held_until, found.name) == (None, "Another question?")
    assert cast(settings, one.id, make_user().id, "a").result == ("accepted" if doing == "rename" else "unknown")


def test_what_was_done_is_the_answer_though_the_database_goes_away_right_after(
    one: Competition, log: BallotLog, owner: Database, organiser: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(*_given: Any, **_more: Any) -> None:
        raise DatabaseUnavailable

    monkeypatch.setattr(holding, "_release", away)
    DOINGS["rename"](owner, log, one.id, organiser)

    found = stored(owner, one.id)
    assert found is not None
    assert found.name == "Another question?"


def test_a_shard_that_cannot_be_told_leaves_everything_as_it_was(
    one: Competition, meddling: Meddling, log: BallotLog, settings: Settings, owner: Database, organiser: Person
) -> None:
    meddling.after_announcing = [lambda: log._call("HDEL", "vote:{3}:state", "ready")]

    with pytest.raises(LogUnavailable, match="Nothing was changed"):
        change.delete(owner, meddling, one.id, by=organiser, if_match=None)

    found = stored(owner, one.id)
    assert found is not None
    assert found.held_until is None


def test_a_hold_whose_process_died_is_released_by_the_worker(
    one: Competition, log: BallotLog, settings: Settings, owner: Database, worker: Worker, make_user: MakeUser
) -> None:
    with owner.transaction(by="tests") as tx:
        competition_holds.hold(tx, one.id, rules_version=one.rules_version + 1, seconds=-1)
    schedule.push_what_is_missing(worker.db, log, log.describe_all(), {})
    assert cast(settings, one.id, make_user().id, "a").result == "unknown"

    released = holding.release_overdue(owner, log, by="tests")

    assert released == [one.id]
    assert holding.release_overdue(owner, log, by="tests") == []
    assert cast(settings, one.id, make_user().id, "a").result == "accepted"
    with owner.read() as tx:
        assert competition_holds.held_too_long(tx) == []


@pytest.mark.parametrize("doing", DOINGS)
def test_whoever_is_first_the_other_is_told(
    doing: str, worker: Worker, make_competition: MakeCompetition, log: BallotLog, settings: Settings, owner: Database,
    make_user: MakeUser, organiser: Person,
) -> None:  # fmt: skip
    """The race itself, many times over: a change is made only where every ballot came after it."""
    voters = [make_user().id for _ in range(8)]
    outcomes: set[bool] = set()
    for delay_ms in range(0, 24, 2):
        one = make_competition()
        result: list[bool] = []

        def act(number: int = one.id, told: list[bool] = result) -> None:
            try:
                DOINGS[doing](owner, log, number, organiser)
                told.append(True)
            except Conflict:
                told.append(False)

        acting = threading.Thread(target=act)
        acting.start()
        threading.Event().wait(delay_ms / 1000)
        before = time.monotonic()
        words = [told.result for told in cast_all(settings, [(one.id, voter, "a") for voter in voters])]
        acting.join()
        assert time.monotonic() - before < 30
        outcomes.add(result[0])
        if doing == "delete" and result[0]:
            assert set(words) == {"unknown"}, "what was deleted has no accepted ballot"
        if doing == "delete" and "accepted" in words:
            assert result == [False]
        worker.step()
    with owner.read() as tx:
        assert _unmatched(tx) == 0, "no accepted ballot was left without its competition"


def _unmatched(tx: Tx) -> int:
    row = tx.execute("SELECT count(*) FROM unmatched_ballots").fetchone()
    assert row is not None
    return int(row[0])
