"""Numbers that leave the database: drawn at random, or going on above all that a lost database can have given."""

import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from tests.integration.db.standby import count
from vote.actions import competitions as actions
from vote.ballotlog.entries import Rules
from vote.ballotlog.log import BallotLog
from vote.db import competitions, incarnations, tallies, users
from vote.db.pool import Database
from vote.db.users import Account
from vote.domain.competition import Competition
from vote.domain.ids import MAX_ID
from vote.domain.installation import Installation
from vote.domain.person import Person
from vote.errors import NameTaken, StaleVersion
from vote.worker.worker import Worker

MakeUser = Callable[..., Account]
MakeCompetition = Callable[..., Competition]


def fail_over(owner: Database) -> None:
    """The database finds itself promoted: what it has noted is the timeline before."""
    with owner.transaction(by="tests") as tx:
        tx.execute("UPDATE settings SET value = replace(value, '/00000001/', '/00000000/') WHERE key = 'incarnation'")


def insert(tx: Any, name: str) -> int:
    return users.insert(tx, username=name, email=f"{name}@example.com", password_hash="x", role="voter")


def test_accounts_are_numbered_at_random(owner: Database) -> None:
    with owner.transaction(by="tests") as tx:
        numbers = [insert(tx, f"user-{n}") for n in range(200)]

    assert all(0 < number <= MAX_ID for number in numbers)
    assert numbers != sorted(numbers)
    # Each bit is drawn: of 200 numbers one that is always set or never would be a chance of 2^-199.
    for bit in range(52):
        assert 0 < sum(number >> bit & 1 for number in numbers) < 200, f"bit {bit}"


def test_a_number_that_is_in_use_is_drawn_again(owner: Database) -> None:
    with owner.transaction(by="tests") as tx:
        taken = insert(tx, "mara")
        tx.execute("CREATE SEQUENCE drawn")
        tx.execute(
            "CREATE OR REPLACE FUNCTION random_id() RETURNS bigint LANGUAGE sql SET search_path = public"
            f" AS 'SELECT CASE WHEN nextval(''drawn'') < 4 THEN {taken:d} ELSE 4711 END'"
        )

        assert insert(tx, "noor") == 4711
        with pytest.raises(NameTaken):
            insert(tx, "noor")


def test_no_column_holds_a_number_that_could_be_too_large(owner: Database) -> None:
    """Every column that a foreign key leads from or to, and every other one that holds such a number."""
    with owner.read() as tx:
        narrow = tx.execute(
            """
            SELECT c.relname, a.attname, format_type(a.atttypid, NULL) FROM pg_attribute a
            JOIN pg_class c ON c.oid = a.attrelid AND c.relkind = 'r' AND c.relnamespace = 'public'::regnamespace
            WHERE a.attnum > 0 AND NOT a.attisdropped AND format_type(a.atttypid, NULL) NOT IN ('bigint', 'bigint[]')
              AND (a.attname ~ '(^|_)(id|by)$' OR a.attname = 'gaps')
            """
        ).fetchall()

    # Random ids of ballots; backups and decisions are named by nobody outside; the id of a signing key is a text.
    assert set(narrow) == {
        ("ballots", "id", "uuid"),
        ("unmatched_ballots", "id", "uuid"),
        ("backups", "id", "integer"),
        ("decisions", "id", "integer"),
        ("audit_log", "subject_id", "text"),
        ("checkpoints", "key_id", "text"),
        ("log_marks", "entry_id", "text"),
    }


def test_what_a_page_names_is_not_numbered_in_order(owner: Database) -> None:
    """A decision on gap 7 must not meet another gap 7 when the database was taken back meanwhile; nor a sent mail."""
    with owner.read() as tx:
        numbered = tx.execute(
            "SELECT table_name FROM information_schema.columns WHERE table_schema = 'public' AND is_identity = 'YES'"
        ).fetchall()

    # In order: competitions (see below). The others are named by nobody outside the database.
    assert {row[0] for row in numbered} == {
        "audit_log",
        "backups",
        "competitions",
        "corrections",
        "decisions",
        "left_addresses",
        "revocations",
    }


def test_competitions_are_numbered_in_order_and_leap_with_each_incarnation(
    owner: Database, make_competition: MakeCompetition
) -> None:
    assert [make_competition().id, make_competition().id] == [1, 2]

    before = time.time() * 1000
    fail_over(owner)
    third, fourth = make_competition().id, make_competition().id

    assert before < third < MAX_ID
    assert fourth == third + 1


def test_a_database_that_was_restored_before_it_noted_anything_begins_one(
    owner: Database, make_competition: MakeCompetition
) -> None:
    """As one that is migrated from an older version after it failed over."""
    make_competition()
    another = (
        "CREATE OR REPLACE FUNCTION database_incarnation() RETURNS text LANGUAGE sql AS $$ SELECT '7/00000002/1' $$"
    )
    with owner.transaction(by="tests") as tx:
        tx.execute("DELETE FROM settings WHERE key = 'incarnation'")
        assert not incarnations.note(tx), "the first timeline is the first incarnation"
        tx.execute("DELETE FROM settings WHERE key = 'incarnation'")
        tx.execute(another)
        assert incarnations.note(tx)


def test_a_clock_that_stands_still_does_not_give_a_number_twice(
    owner: Database, make_competition: MakeCompetition
) -> None:
    with owner.transaction(by="tests") as tx:
        tx.execute("ALTER SEQUENCE competitions_id_seq RESTART WITH 4000000000000000")
    first = make_competition().id
    fail_over(owner)

    assert make_competition().id > first + 1


def test_a_number_that_the_ballot_log_knows_is_not_given(
    owner: Database, log: BallotLog, worker: Worker, make_competition: MakeCompetition
) -> None:
    """A disk was put back to an older state: the timeline is the same, and nothing in the database tells."""
    known, before = make_competition(), time.time() * 1000
    with owner.transaction(by="tests") as tx:
        tx.execute("ALTER SEQUENCE competitions_id_seq RESTART WITH 2")
    worker.step()
    lost = Rules(2, 7, "open", None, None, False, "ab")
    assert log.push_rules(log.describe(3), [lost]).status == "ok", (
        "only one shard was told before the disk was put back"
    )

    made = make_competition()

    assert made.id > before > known.id


def test_a_competition_is_made_while_the_log_is_away(owner: Database, organiser: Person) -> None:
    away = BallotLog("redis://127.0.0.1:1/0", 8, Installation("tests"))

    assert actions.create(owner, away, by=organiser, name="Which?", options=["A", "B"]).id == 1


def test_versions_of_tallies_never_repeat(owner: Database, make_competition: MakeCompetition) -> None:
    competition = make_competition().id
    shown = [count(owner, competition, a=1) for _ in range(3)]
    with owner.transaction(by="tests") as tx:  # two of these are lost
        tx.execute("UPDATE tallies SET votes = 1, version = 1")
    fail_over(owner)
    with owner.read() as tx:
        assert incarnations.note(tx)
        assert not incarnations.note(tx)
        again = tallies.read(tx, [competition])[competition]

    assert again.total == 1
    assert again.version > max(shown)
    assert again.version < 2**53, "JavaScript holds it exactly"


def test_the_worker_notes_a_new_incarnation_before_it_records(owner: Database, worker: Worker) -> None:
    worker.step()
    fail_over(owner)

    worker.step()

    with owner.read() as tx:
        (noted,) = tx.execute(
            "SELECT value = database_incarnation() FROM settings WHERE key = 'incarnation'"
        ).fetchall()
        audited = tx.execute("SELECT count(*) FROM audit_log WHERE subject_id = 'incarnation'").fetchone()
    assert noted == (True,)
    assert audited == (3,), "noted, taken back by this test, begun"


def test_an_old_etag_fits_nothing_after_a_failover(
    owner: Database, log: BallotLog, organiser: Person, make_competition: MakeCompetition
) -> None:
    competition = make_competition(draft=True)

    def change(description: str, if_match: str) -> Competition:
        return actions.change(owner, log, competition.id, by=organiser, if_match=if_match, description=description)

    lost = change("lost", competition.etag)
    with owner.transaction(by="tests") as tx:  # as if it had never been
        tx.execute("UPDATE competitions SET description = '', revision = 1, state_changes = 0")
    fail_over(owner)
    with owner.read() as tx:
        incarnations.note(tx)
        present = competitions.find(tx, competition.id)
    assert present is not None
    other = change("another", present.etag)

    assert other.revision != lost.revision
    with pytest.raises(StaleVersion):
        change("on top of what is lost", lost.etag)


def test_a_rules_version_is_at_least_the_clock(make_competition: MakeCompetition) -> None:
    assert make_competition().rules_version >= datetime.now(UTC).timestamp() * 1000 - 60_000
