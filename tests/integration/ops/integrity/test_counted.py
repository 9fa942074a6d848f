"""What is counted follows from the journal: votes, tallies, erased people; also when the journal is retired."""

import pytest

from tests.integration.ops.integrity.conftest import VOTERS
from tests.integration.ops.integrity.damage import Execute, a_row, found, rows_of
from tests.stack import wait_until
from vote.actions import accounts
from vote.actions import competitions as change
from vote.ballotlog.log import BallotLog
from vote.db.pool import Database
from vote.domain.competition import Competition
from vote.worker.worker import Worker


def test_votes_that_are_not_the_journals_are_named(
    signing: dict[str, str], books: Competition, changeable: Competition, voters: list[int], execute: Execute
) -> None:
    where = [(books.id, voters[0]), (books.id, voters[1]), (changeable.id, voters[2])]
    execute("UPDATE votes SET choice = 'b' WHERE (competition_id, user_id) = (%s, %s)", *where[0])
    execute("DELETE FROM votes WHERE (competition_id, user_id) = (%s, %s)", *where[1])
    execute("UPDATE votes SET choice = 'a' WHERE (competition_id, user_id) = (%s, %s)", *where[2])
    execute("INSERT INTO votes (competition_id, user_id, choice, created_at) VALUES (%s, 999999, 'a', now())", books.id)

    findings = {where: problem for book, where, problem in found(signing) if book == "votes"}

    names = [f"competition {competition}, user {user}" for competition, user in (*where, (books.id, 999_999))]
    assert findings.keys() == set(names)
    assert "counts for b, but the journal says a (shard" in findings[names[0]]
    assert "is missing" in findings[names[1]]
    assert "counts for a, but the journal says b (shard" in findings[names[2]]
    assert findings[names[3]] == "has no ballot in the journal"


def test_a_vote_of_another_moment_is_named(
    signing: dict[str, str], books: Competition, voters: list[int], execute: Execute
) -> None:
    execute("UPDATE votes SET created_at = created_at - interval '1 s' WHERE user_id = %s", voters[0])

    assert found(signing)[0][:2] == ("votes", f"competition {books.id}, user {voters[0]}")


def test_a_wrong_tally_is_named(signing: dict[str, str], books: Competition, execute: Execute) -> None:
    ((shard,),) = execute("SELECT shard FROM tallies WHERE competition_id = %s LIMIT 1", books.id)
    execute("UPDATE tallies SET votes = votes + 5 WHERE competition_id = %s AND shard = %s", books.id, shard)

    assert found(signing) == [
        ("tallies", f"competition {books.id}, option a", f"says {VOTERS + 5}, but there are {VOTERS} votes")
    ]


def test_an_erased_person_who_is_still_there_is_named(
    signing: dict[str, str],
    books: Competition,
    voters: list[int],
    owner: Database,
    log: BallotLog,
    worker: Worker,
    execute: Execute,
) -> None:
    accounts.erase(owner, log, by=voters[0])
    worker.step()
    assert [one for one in found(signing) if one[0] != "checkpoints"] == []

    execute(
        "ALTER TABLE users DROP CONSTRAINT users_check1, DROP CONSTRAINT users_check,"
        " DROP CONSTRAINT users_email_key_check"
    )
    execute("UPDATE users SET email = 'back@example.com' WHERE id = %s", voters[0])

    assert ("people", f"user {voters[0]}", "is erased but still has: email address") in found(signing)


@pytest.fixture
def retired(
    books: Competition, changeable: Competition, owner: Database, log: BallotLog, worker: Worker, execute: Execute
) -> Competition:
    """Both competitions closed more than a year ago, and their journal retired."""
    for one in (books, changeable):
        change.close_voting(owner, log, one.id, by="tests")

    def are_final() -> bool:
        worker._next_schedule = worker._next_push = 0
        worker.step()
        return execute("SELECT count(*) FROM competitions WHERE status = 'closed'") == [(2,)]

    wait_until(are_final)
    execute("UPDATE competitions SET closed_at = closed_at - interval '2 years'")
    while worker.maintenance.retire():
        pass
    assert execute("SELECT count(*) FROM ballots WHERE retired_at IS NULL") == [(0,)]
    return books


def test_books_are_still_verified_when_the_journal_is_retired(
    signing: dict[str, str], retired: Competition, changeable: Competition, voters: list[int], execute: Execute
) -> None:
    assert found(signing) == []

    where = [(retired.id, voters[0]), (changeable.id, voters[1]), (retired.id, voters[2])]
    execute("UPDATE votes SET choice = 'b' WHERE (competition_id, user_id) = (%s, %s)", *where[0])
    execute("UPDATE votes SET choice = 'a' WHERE (competition_id, user_id) = (%s, %s)", *where[1])
    execute("DELETE FROM votes WHERE (competition_id, user_id) = (%s, %s)", *where[2])
    row = a_row(execute)
    execute("UPDATE ballots SET digest = sha256('x') WHERE id = %s", row.id)

    findings = found(signing)

    named = rows_of(findings, "votes")
    assert {f"competition {competition}, user {user}" for competition, user in where[:2]} <= set(named)
    assert f"competition {retired.id}" in named, "it had one vote more when it was retired"
    assert rows_of(findings, "journal") == [row.name]


def test_a_row_retired_by_hand_is_named(signing: dict[str, str], books: Competition, execute: Execute) -> None:
    row = a_row(execute, of=books)
    execute("UPDATE ballots SET retired_at = now() WHERE id = %s", row.id)
    findings = found(signing)
    assert ("journal", row.name, "is retired but still holds voter, choice or receipt") in findings
    assert f"competition {books.id}" in rows_of(findings, "journal"), "the audit log knows nothing of it"

    execute("UPDATE ballots SET user_id = NULL, choice = NULL, receipt = NULL WHERE id = %s", row.id)
    assert rows_of(found(signing), "journal") == [f"competition {books.id}"]
    execute("ALTER TABLE ballots DROP CONSTRAINT ballots_check")
    execute("UPDATE ballots SET retired_at = NULL WHERE id = %s", row.id)
    assert row.name in rows_of(found(signing), "journal")
