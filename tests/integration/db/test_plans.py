"""Work does not grow with the years: no statement reads a large table from end to end where an index should serve.

Every statement of vote/db/, and those in the functions and triggers of the schema, are planned by a real PostgreSQL that
has seen many rows. Nothing is timed: the plan says what a statement would do among ten million rows too.
"""

from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict

from tests.conftest import in_database
from tests.module_wide import database_url
from tests.plans import Planner, Values
from tests.servers import Pair
from tests.statements import Statement, statements, unseen

__all__ = ["database_url"]

CROWDED = Path(__file__).with_name("crowded.sql")
# Tables with a row per person, vote, competition, login or deed.
LARGE = {
    "attempts",
    "audit_log",
    "ballots",
    "checkpoints",
    "competitions",
    "devices",
    "erasures",
    "idempotency_keys",
    "last_logins",
    "left_addresses",
    "login_locks",
    "mail_links",
    "options",
    "outbox",
    "revocations",
    "tallies",
    "users",
    "votes",
}
# A row per shard, closing or backup, or of something that went wrong and was put right by hand; marks last a week.
SMALL = {
    "alembic_version",
    "backups",
    "corrections",
    "decisions",
    "log_gaps",
    "log_marks",
    "log_markers",
    "log_positions",
    "position_marks",
    "reinstatements",
    "rejected_ballots",
    "settings",
    "unmatched_ballots",
}

VERIFY = "`vote verify` compares everything"
RESTORED = "a restored database must be the same in every row"
# Statements whose work is the whole table, and why.
WHOLE = {
    **{f"backups.FACTS{number}": RESTORED for number in ("", "/2", "/4", "/5", "/6", "/7", "/8")},
    "integrity.audit_log": VERIFY,
    "integrity.checkpoints": VERIFY,
    "integrity.journal": VERIFY,
    "integrity.not_blanked": VERIFY,
    "integrity.receipt_keys": VERIFY,
    "integrity.retired_votes": VERIFY,
    "integrity.retirements": VERIFY,
    "integrity.sizes": VERIFY,
    "integrity.uncovered": VERIFY,
    "integrity.votes_unlike_journal": VERIFY,
    "integrity.wrong_tallies": VERIFY,
    "competitions.forgotten_by_log": "a shard with an empty memory is told once what it need not know",
    "left_addresses.is_of": "the competitions are few in which people left while they were open; it is asked at a log-in",
    "synthetic_voters.ballots_per_voter": "`vote load` counts every ballot of its own competition, once, when it is over",
    "account_locks.count": "the answer is a number of locks, which last a day and need a hundred wrong passwords each",
    "service_figures.read": "of locks, as account_locks.count",
    "account_locks.listed": "newest first through locks that are over, which a worker deletes every minute",
    "outbox.to_read": "only in development without a mail server, where few mails are",
}
# Values a statement is sent with, where its text alone does not tell how much it will find.
SENT = {
    "audit.of_competition": Values(types=("integer", "bigint")),
    "competitions.in_state": Values(typical=("'closing'",)),
    "competitions.receipt_keys": Values(typical=("NULL", "NULL", "4900")),
    "devices.forget_unused": Values(typical=("180",)),
    "idempotency_keys.forget_expired": Values(typical=("10",)),
    "retention.to_forget": Values(typical=("'{}'", "73")),
    "retention.to_retire": Values(typical=("180",)),
    "outbox.forget_done": Values(typical=("7",)),
    "users.erasures_to_repeat": Values(typical=("10",)),
    "users.revocations_after": Values(typical=("29900",)),
}


@pytest.fixture(scope="module")
def planner(database_url: str, servers: Pair) -> Iterator[Planner]:
    """Plans for a database after years of use."""
    url = in_database(servers.superuser_url, str(conninfo_to_dict(database_url)["dbname"]))
    with psycopg.connect(url, autocommit=True, prepare_threshold=None) as connection:
        connection.execute(CROWDED.read_bytes())
        yield Planner(connection, LARGE)


def test_every_table_is_known_to_be_large_or_small(database_url: str) -> None:
    with psycopg.connect(database_url) as connection:
        rows = connection.execute(
            "SELECT relname FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace"
        )
        assert {row[0] for row in rows} == LARGE | SMALL


def test_every_statement_is_seen() -> None:
    # What these send is handed to them, or is no question to a table.
    assert unseen() == [
        "backups.facts",
        "cluster.let_in",
        "competitions.fetch_all",
        "dedicated_connection._connect",
        "integrity._stream",
        "pool._configure",
        "pool.fetch_rows",
        "pool.fetch_value",
        "pool.set_role",
        "replica._configure",
        "replication.allow",
        "replication.allow_freeze",
        "replication.connected",
    ]


def test_no_statement_reads_a_large_table_whole(planner: Planner) -> None:
    found = {
        one.name: planner.faults(one, SENT.get(one.name, Values()))
        for one in statements()
        if not one.name.startswith("migrate.")  # in the words of another driver, once per installation
    }

    assert {name: faults for name, faults in found.items() if faults and name not in WHOLE} == {}
    assert [name for name in WHOLE if not found.get(name)] == []  # what is excused must need it


@pytest.mark.parametrize(
    "call",
    [
        "SELECT erase_person(7)",
        "SELECT retire_ballots(30, 1::smallint, 0, 500)",
        "UPDATE users SET role = 'organiser' WHERE id = 7",
        "DELETE FROM options WHERE competition_id = 4999",
        "INSERT INTO revocations (subject, expires_at) VALUES ('user:7', now())",
    ],
)
def test_no_function_or_trigger_reads_a_large_table_whole(planner: Planner, call: str) -> None:
    assert planner.faults_inside(call) == []


def test_the_hourly_search_for_unused_accounts_may_look_at_everybody(planner: Planner) -> None:
    assert planner.faults_inside("SELECT erase_unused(1000, 10)")


@pytest.mark.parametrize(
    "text",
    [
        "SELECT id FROM users WHERE email = %s",
        "SELECT id FROM audit_log ORDER BY at LIMIT 10",
        "SELECT id FROM users WHERE role = 'voter' ORDER BY id LIMIT 10",
        "SELECT count(*) FROM votes",
        "SELECT user_id FROM votes ORDER BY created_at DESC OFFSET %s LIMIT 10",
    ],
)
def test_the_check_sees_what_would_grow(planner: Planner, text: str) -> None:
    assert planner.faults(Statement("a question", text), Values()) != []
