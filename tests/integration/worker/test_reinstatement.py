"""Ballots that are set aside count by an admin's word once they match again; and nothing that comes late counts without."""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import pytest

from tests.casting import cast
from vote.actions import closing, reinstatement
from vote.actions import competitions as change
from vote.actions.recording import record_entries
from vote.ballotlog.entries import Entry
from vote.ballotlog.log import BallotLog
from vote.config import Settings
from vote.db import competitions, quarantine, shard_lock, shard_positions, tallies, votes
from vote.db.pool import Database
from vote.db.users import Account
from vote.domain.ballot import Ballot, shard_of
from vote.domain.competition import Competition
from vote.domain.person import Person
from vote.domain.receipt import receipt_code
from vote.errors import Conflict, InvalidInput, NotAllowed, NotFound
from vote.worker.worker import Worker

MakeUser = Callable[..., Account]
MakeCompetition = Callable[..., Competition]
LOST = (3_100_000_000_000_001, 3_100_000_000_000_002, 3_100_000_000_000_003)
WHY = "Their accounts were copied from the old primary."


@pytest.fixture
def admin(make_user: MakeUser) -> Person:
    return make_user(role="admin").person


def bring_back(owner: Database, people: Sequence[int] = LOST) -> None:
    """The rows of these people are put in again."""
    with owner.transaction(by="tests") as tx:
        for person in people:
            tx.execute(
                "INSERT INTO users (id, username, email, password_hash) VALUES (%s, %s, %s, 'x')",
                (person, f"lost-{person}", f"lost-{person}@example.com"),
            )


def standing(owner: Database, competition: Competition) -> tuple[dict[int, str | None], int, int]:
    """The votes of the lost people, the total of the tally, and how many ballots are set aside."""
    with owner.read() as tx:
        chosen = {person: votes.choice_of(tx, competition.id, person) for person in LOST}
        total = tallies.read(tx, [competition.id])[competition.id].total
        return chosen, total, quarantine.counts(tx).unmatched


def journal(owner: Database, competition: Competition) -> list[Any]:
    with owner.read() as tx:
        return tx.execute(
            "SELECT user_id, choice, receipt, reinstatement_id IS NOT NULL FROM ballots WHERE competition_id = %s"
            " ORDER BY user_id, seq",
            (competition.id,),
        ).fetchall()


@pytest.fixture
def aside(settings: Settings, worker: Worker, make_user: MakeUser, make_competition: MakeCompetition) -> Competition:
    """A competition with one vote, and the ballots of three people who are not there."""
    competition = make_competition()
    cast(settings, competition.id, make_user().id, "b")
    for person in LOST:
        assert cast(settings, competition.id, person, "a").result == "accepted"
    worker.step()
    return competition


def test_ballots_of_people_who_are_back_count_by_an_admins_word(
    owner: Database, worker: Worker, aside: Competition, admin: Person
) -> None:
    nobody: dict[int, str | None] = dict.fromkeys(LOST)
    assert standing(owner, aside) == (nobody, 1, 3)
    with pytest.raises(Conflict):
        reinstatement.ask(owner, aside.id, by=admin, reason=WHY)
    bring_back(owner, LOST[:2])
    assert reinstatement.run_pending(owner, by="tests") == {}, "nobody has given their word"

    assert reinstatement.ask(owner, aside.id, by=admin, reason=WHY) == 2
    assert reinstatement.ask(owner, aside.id, by=admin, reason=WHY) == 2, "once more is the same"
    assert reinstatement.run_pending(owner, by="tests") == {aside.id: 2}
    assert reinstatement.run_pending(owner, by="tests") == {}

    assert standing(owner, aside) == ({LOST[0]: "a", LOST[1]: "a", LOST[2]: None}, 3, 1)
    rows = journal(owner, aside)
    assert [row[1:] for row in rows if row[0] in LOST] == [
        ("a", receipt_code(aside.receipt_key, person), True) for person in LOST[:2]
    ]
    with owner.read() as tx:
        word = tx.execute("SELECT asked_by, reason, ballots FROM reinstatements").fetchall()
        audited = tx.execute("SELECT actor FROM audit_log WHERE subject = 'reinstatements' ORDER BY id").fetchall()
    assert word == [(admin.id, WHY, 2)]
    assert audited == [(f"user:{admin.id}",), ("tests",)]


def test_what_is_recorded_goes_on_behind_them(
    owner: Database, settings: Settings, worker: Worker, aside: Competition, admin: Person, make_user: MakeUser
) -> None:
    bring_back(owner)
    reinstatement.ask(owner, aside.id, by=admin, reason=WHY)
    worker._next_schedule = 0
    worker.step()
    for _ in range(20):
        cast(settings, aside.id, make_user().id, "b")
    worker.step()

    assert standing(owner, aside) == (dict.fromkeys(LOST, "a"), 24, 0)
    with owner.read() as tx:
        for shard, at in shard_positions.all_positions(tx).items():
            newest = tx.execute(
                "SELECT seq, chain FROM ballots WHERE shard = %s ORDER BY seq DESC LIMIT 1", (shard,)
            ).fetchone()
            assert newest is None or newest == (at.recorded, at.chain)


def test_a_vote_that_is_recorded_is_not_replaced_by_what_came_before_it(
    owner: Database,
    settings: Settings,
    log: BallotLog,
    worker: Worker,
    admin: Person,
    make_competition: MakeCompetition,
) -> None:
    competition = make_competition(allow_change=True)
    for choice in "ab":
        cast(settings, competition.id, LOST[0], choice)
        cast(settings, competition.id, LOST[1], choice)
    worker.step()
    bring_back(owner)
    assert cast(settings, competition.id, LOST[1], "a").result == "changed"
    worker.step()

    assert reinstatement.ask(owner, competition.id, by=admin, reason=WHY) == 2
    assert reinstatement.run_pending(owner, by="tests") == {competition.id: 2}

    chosen, total, left = standing(owner, competition)
    assert (chosen[LOST[0]], chosen[LOST[1]], total) == ("b", "a", 2), "the last one counts where votes may change"
    assert left == 2


def test_a_closing_waits_for_them_and_is_final_by_itself_when_they_count(
    owner: Database, log: BallotLog, worker: Worker, aside: Competition, admin: Person
) -> None:
    change.close_voting(owner, log, aside.id, by="tests")
    worker.step()
    assert not closing.finish_closing(owner, aside.id, by="tests")
    bring_back(owner)
    reinstatement.ask(owner, aside.id, by=admin, reason=WHY)

    worker._next_schedule = 0
    worker.step()

    with owner.read() as tx:
        found = competitions.find(tx, aside.id)
    assert found is not None
    assert found.state == "closed"
    assert standing(owner, aside)[1] == 4


def test_a_final_tally_changes_by_this_word_and_its_copies_are_old(
    owner: Database, log: BallotLog, worker: Worker, aside: Competition, admin: Person
) -> None:
    change.close_voting(owner, log, aside.id, by="tests")
    worker.step()
    final = closing.finish_over(owner, aside.id, by=admin, reason="Nobody knows these three.")
    with owner.read() as tx:
        before = tallies.read(tx, [aside.id])[aside.id].version
    bring_back(owner)

    reinstatement.ask(owner, aside.id, by=admin, reason=WHY)
    reinstatement.run_pending(owner, by="tests")

    with owner.read() as tx:
        now = competitions.find(tx, aside.id)
        tally = tallies.read(tx, [aside.id])[aside.id]
    assert now is not None
    assert now.state == "closed"
    assert now.etag != final.etag
    assert now.revision > final.revision
    assert (tally.total, tally.version > before) == (4, True)


def late(competition: Competition, shards: int, voter: int) -> Ballot:
    return Ballot(uuid4(), competition.id, voter, "a", datetime.now(UTC))


def test_a_ballot_that_comes_after_the_final_result_is_set_aside(
    owner: Database, log: BallotLog, worker: Worker, make_user: MakeUser, make_competition: MakeCompetition
) -> None:
    competition, known = make_competition(), make_user()
    change.close_voting(owner, log, competition.id, by="tests")
    worker._next_schedule = 0
    worker.step()
    assert closing.finish_closing(owner, competition.id, by="tests") or True
    ballot, shard = late(competition, log.shards, known.id), shard_of(competition.id, known.id, log.shards)

    with owner.transaction(by="tests") as tx:
        at = shard_lock.lock_shard(tx, shard)
        assert at is not None
        assert at.epoch is not None
        entry = Entry(at.position + 1, str(ballot.id), ballot)
        done = record_entries(tx, at, epoch=at.epoch, entries=[entry])

    assert (done.ballots, done.unmatched) == (0, 1)
    with owner.read() as tx:
        assert tallies.read(tx, [competition.id])[competition.id].total == 0
        assert votes.choice_of(tx, competition.id, known.id) is None


def test_a_ballot_of_a_final_result_that_is_read_again_is_nothing_new(
    owner: Database,
    settings: Settings,
    log: BallotLog,
    worker: Worker,
    make_user: MakeUser,
    make_competition: MakeCompetition,
) -> None:
    competition = make_competition()
    cast(settings, competition.id, make_user().id, "a")
    worker.step()
    change.close_voting(owner, log, competition.id, by="tests")
    worker._next_schedule = 0
    worker.step()
    worker._next_schedule = 0
    worker.step()
    with owner.transaction(by="tests") as tx:
        found = competitions.find(tx, competition.id)
        assert found is not None
        assert found.state == "closed"
        tx.execute("UPDATE log_positions SET position = 0, last_entry = NULL")

    worker.step()

    with owner.read() as tx:
        assert quarantine.counts(tx).unmatched == 0
        assert tallies.read(tx, [competition.id])[competition.id].total == 1


def test_only_an_admin_with_a_reason_may_say_so(
    owner: Database, aside: Competition, admin: Person, organiser: Person
) -> None:
    bring_back(owner)
    with pytest.raises(NotAllowed):
        reinstatement.ask(owner, aside.id, by=organiser, reason=WHY)
    with pytest.raises(InvalidInput):
        reinstatement.ask(owner, aside.id, by=admin, reason=" ")
    with pytest.raises(NotFound):
        reinstatement.ask(owner, 4711, by=admin, reason=WHY)
