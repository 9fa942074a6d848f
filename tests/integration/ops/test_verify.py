"""`vote verify`: clean books are clean, and each kind of damage is found and named. Damage is done as a superuser would:
past triggers, privileges and constraints.
"""

import json
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple
from uuid import UUID

import psycopg
import pytest
from click.testing import CliRunner, Result

from tests.casting import cast_all
from tests.conftest import in_database
from tests.services import Pair
from tests.stack import wait_until
from vote import config
from vote.actions import accounts
from vote.actions import competitions as change
from vote.actions.checkpoints import Signer
from vote.ballotlog.log import BallotLog
from vote.config import Settings
from vote.db.pool import Database
from vote.db.users import Account
from vote.domain.chain import BEGINNING, links
from vote.domain.competition import Competition
from vote.errors import ConfigError
from vote.ops.books import findings
from vote.ops.cli import cli
from vote.worker.worker import Worker

KEY = "c2lnbmluZy1rZXktb2YtdGhlLXRlc3RzLTAxMjM0NTY="
OTHER_KEY = "YW5vdGhlci1rZXktb2YtdGhlLXRlc3RzLTAxMjM0NTY="
VOTERS = 60

Execute = Callable[..., list[Any]]


class Row(NamedTuple):
    """A row of the journal that a test damages."""

    shard: int
    seq: int
    id: UUID

    @property
    def name(self) -> str:
        return f"shard {self.shard}, seq {self.seq}, ballot {self.id}"


@pytest.fixture
def execute(servers: Pair, database_url: str) -> Iterator[Execute]:
    """Runs one statement as a superuser whom no trigger and no foreign key sees."""
    database = database_url.partition("?")[0].rpartition("/")[2]
    with psycopg.connect(in_database(servers.superuser_url, database), autocommit=True) as connection:
        connection.execute("SET session_replication_role = replica")

        def run(statement: str, *parameters: Any) -> list[Any]:
            done = connection.execute(statement.encode(), parameters or None)
            return done.fetchall() if done.description else []

        yield run
        pid = connection.info.backend_pid
    # The owner, who drops the database, may not end a superuser's session.
    with psycopg.connect(servers.superuser_url, autocommit=True) as connection:
        is_there = "SELECT 1 FROM pg_stat_activity WHERE pid = %s"
        wait_until(lambda: connection.execute(is_there, (pid,)).fetchone() is None, what="the session has ended")


@pytest.fixture
def signing(environment: dict[str, str]) -> dict[str, str]:
    """What an auditor has: the login that reads, the public key, and no secret."""
    auditor = {name: value for name, value in environment.items() if name not in ("FLASK_SECRET_KEY", "JWT_SECRET")}
    return auditor | {"CHECKPOINT_PUBLIC_KEY": Signer(KEY).public}


@pytest.fixture
def changeable(make_competition: Callable[..., Competition]) -> Competition:
    return make_competition(allow_change=True)


@pytest.fixture
def voters(make_user: Callable[..., Account]) -> list[Account]:
    return [make_user() for _ in range(VOTERS)]


@pytest.fixture
def books(
    settings: Settings,
    worker: Worker,
    voters: list[Account],
    make_competition: Callable[..., Competition],
    changeable: Competition,
) -> Competition:
    """Two competitions, some 200 ballots, signed once in the middle and once at the end. Returns the one without change."""
    worker.keeper.signer = Signer(KEY)
    competition = make_competition()
    for choice in "ab":
        cast_all(settings, [(one.id, voter.id, choice) for voter in voters for one in (competition, changeable)])
        worker.step()
        if choice == "a":
            worker.keeper.sign()
    with worker.db.transaction(by="tests") as tx:
        assert tx.execute("SELECT count(*) FROM checkpoints").fetchone() == (9,)
    return competition


def verify(environment: dict[str, str], *arguments: str) -> Result:
    return CliRunner(env=environment).invoke(cli, ["verify", *arguments])


def found(environment: dict[str, str]) -> list[tuple[str, str, str]]:
    """What `vote verify --json` finds."""
    result = verify(environment, "--json")
    answer = json.loads(result.stdout)
    assert result.exit_code == (1 if answer["findings"] else 0)
    assert answer["ok"] == (not answer["findings"])
    return [(one["book"], one["row"], one["problem"]) for one in answer["findings"]]


def rows_of(findings: list[tuple[str, str, str]], book: str) -> list[str]:
    return [row for one, row, _ in findings if one == book]


def a_row(execute: Execute, *, after: int = 0, of: Competition | None = None) -> Row:
    """A row of the journal that is neither first nor last of its shard."""
    (row,) = execute(
        "SELECT shard, seq, id FROM ballots WHERE seq > %s AND (%s::int IS NULL OR competition_id = %s)"
        " AND (shard, seq + 2) IN (SELECT shard, seq FROM ballots) ORDER BY shard, seq LIMIT 1",
        max(after, 2),
        of.id if of else None,
        of.id if of else None,
    )
    return Row(*row)


def chain_anew(execute: Execute, shard: int) -> None:
    """Make the chain of a shard fit its digests again, as a careful attacker would."""
    rows = execute("SELECT seq, digest FROM ballots WHERE shard = %s ORDER BY seq", shard)
    made = list(links(0, BEGINNING, [row[1] for row in rows]))
    for (old, _), link in zip(rows, made, strict=True):
        execute(
            "UPDATE ballots SET seq = %s, chain = %s WHERE shard = %s AND seq = %s", -link.seq, link.chain, shard, old
        )
    execute("UPDATE ballots SET seq = -seq WHERE shard = %s", shard)
    execute("UPDATE log_positions SET recorded = %s, chain = %s WHERE shard = %s", made[-1].seq, made[-1].chain, shard)


# --- clean ------------------------------------------------------------------------------------------------------------


def test_clean_books_are_clean(signing: dict[str, str], books: Competition, worker: Worker, log: BallotLog) -> None:
    result = verify(signing)
    assert (result.exit_code, result.stderr) == (0, "")
    assert "180 ballots" in result.stdout
    assert "nothing is wrong" in result.stdout

    # A new life of the log leaves gap rows, and positions begin anew.
    log._call("FLUSHALL")
    worker.step()
    assert found(signing) == []


def test_without_a_public_key_it_says_what_it_did_not_check(signing: dict[str, str], books: Competition) -> None:
    del signing["CHECKPOINT_PUBLIC_KEY"]
    result = verify(signing)
    assert (result.exit_code, "Signatures were not checked" in result.stderr) == (0, True)
    assert json.loads(verify(signing, "--json").stdout)["signatures_checked"] is False


def test_wrong_words_are_a_usage_error(signing: dict[str, str]) -> None:
    assert verify(signing, "--nonsense").exit_code == 2


def test_the_public_key_is_printed_for_who_verifies_elsewhere(environment: dict[str, str]) -> None:
    mine = verify(environment | {"CHECKPOINT_KEY": KEY}, "--public-key")
    assert mine.output.strip() == Signer(KEY).public
    assert verify(environment | {"CHECKPOINT_PUBLIC_KEY": mine.output.strip()}, "--public-key").output == mine.output
    assert isinstance(verify(environment, "--public-key").exception, ConfigError)
    assert isinstance(verify(environment | {"CHECKPOINT_PUBLIC_KEY": "no"}).exception, ConfigError)


def test_it_reads_as_backup_and_can_change_nothing(
    signing: dict[str, str], books: Competition, execute: Execute, database_url: str
) -> None:
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute("SET ROLE vote_backup")
        for table in ("ballots", "votes", "audit_log", "checkpoints", "log_positions", "tallies", "users"):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                connection.execute(f"DELETE FROM {table}".encode())
    execute("REVOKE SELECT ON audit_log FROM vote_backup")
    assert isinstance(verify(signing).exception, psycopg.errors.InsufficientPrivilege), "it took another role"


def test_findings_are_kept_in_bounds(
    signing: dict[str, str], books: Competition, execute: Execute, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(findings, "MAX_KEPT", 3)
    execute("UPDATE ballots SET cast_at = cast_at + interval '1 day'")

    result = verify(signing)

    assert len(result.stdout.splitlines()) == 5
    assert "more" in result.stdout.splitlines()[3]


# --- the journal --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "edit",
    [
        "choice = CASE choice WHEN 'a' THEN 'b' ELSE 'a' END",
        "cast_at = cast_at + interval '1 ms'",
        "position = position + 100000",
        "epoch = 'another'",
        "receipt = 'AAAA-AAAA-AAAA-AAAA'",
        "digest = sha256('x')",
        "chain = sha256('x')",
        "user_id = (SELECT min(id) FROM users)",
        "id = gen_random_uuid()",
    ],
)
def test_an_edited_row_is_named(signing: dict[str, str], books: Competition, execute: Execute, edit: str) -> None:
    row = a_row(execute)

    execute(f"UPDATE ballots SET {edit} WHERE shard = %s AND seq = %s", row.shard, row.seq)

    named = rows_of(found(signing), "journal")
    assert f"shard {row.shard}, seq {row.seq}, ballot" in named[0]


def test_an_edit_with_a_new_digest_is_named(signing: dict[str, str], books: Competition, execute: Execute) -> None:
    row = a_row(execute)
    execute("UPDATE ballots SET digest = sha256('x') WHERE id = %s", row.id)
    execute("UPDATE competitions SET receipt_key = sha256('x')")

    findings = found(signing)

    assert ("journal", row.name) in [one[:2] for one in findings]
    assert len([one for one in findings if "receipt" in one[2]]) == 180, "all receipts follow from the key"


def test_a_removed_row_is_named(signing: dict[str, str], books: Competition, execute: Execute) -> None:
    row = a_row(execute, of=books)

    execute("DELETE FROM ballots WHERE id = %s", row.id)

    findings = found(signing)
    journal = [(where, problem) for book, where, problem in findings if book == "journal"]
    assert journal[0][0] == f"shard {row.shard}, seq {row.seq}"
    assert "removed" in journal[0][1]
    assert len(journal) == 1
    assert len(rows_of(findings, "votes")) == 1, "and its vote is without a ballot"


def test_two_swapped_rows_are_named(signing: dict[str, str], books: Competition, execute: Execute) -> None:
    row = a_row(execute)
    for old, new in ((row.seq, -1), (row.seq + 1, row.seq), (-1, row.seq + 1)):
        execute("UPDATE ballots SET seq = %s WHERE shard = %s AND seq = %s", new, row.shard, old)

    named = rows_of(found(signing), "journal")

    assert row._replace(seq=row.seq + 1).name in named
    assert any(name.startswith(f"shard {row.shard}, seq {row.seq}, ") for name in named)


def test_an_inserted_row_is_named(
    signing: dict[str, str], books: Competition, execute: Execute, make_user: Callable[..., Account]
) -> None:
    row = a_row(execute)
    (head,) = execute("SELECT max(seq) FROM ballots WHERE shard = %s", row.shard)
    columns = "competition_id, cast_at, shard, epoch, position, receipt, digest, chain"
    execute(
        f"INSERT INTO ballots (id, seq, user_id, choice, {columns})"
        f" SELECT gen_random_uuid(), %s, %s, choice, {columns} FROM ballots WHERE id = %s",
        head[0] + 1,
        make_user().id,
        row.id,
    )

    findings = found(signing)

    problems = [problem for book, where, problem in findings if f"seq {head[0] + 1}, " in where and book == "journal"]
    assert any("beyond" in problem for problem in problems)
    assert any("digest" in problem for problem in problems)


def test_a_row_given_the_number_of_another_is_named(
    signing: dict[str, str], books: Competition, execute: Execute
) -> None:
    row = a_row(execute)
    execute("DROP INDEX ballots_seq")
    execute("UPDATE ballots SET seq = %s WHERE shard = %s AND seq = %s", row.seq, row.shard, row.seq + 1)

    findings = found(signing)

    assert any("given before" in problem for _, where, problem in findings if where.startswith(f"shard {row.shard}, "))
    assert f"shard {row.shard}, seq {row.seq + 1}" in rows_of(findings, "journal")


def test_a_truncated_tail_is_named(signing: dict[str, str], books: Competition, execute: Execute) -> None:
    row = a_row(execute)
    execute("DELETE FROM ballots WHERE shard = %s AND seq > %s", row.shard, row.seq)

    (recorded,) = execute("SELECT recorded FROM log_positions WHERE shard = %s", row.shard)
    findings = found(signing)

    assert f"shard {row.shard}, seq {row.seq + 1} to {recorded[0]}" in rows_of(findings, "journal")
    assert any(row.name.split(", ")[2] in problem for _, _, problem in findings), "and the last one that is there"


def test_a_whole_shard_that_is_gone_is_named(signing: dict[str, str], books: Competition, execute: Execute) -> None:
    row = a_row(execute)
    execute("DELETE FROM ballots WHERE shard = %s", row.shard)

    assert any(
        where.startswith(f"shard {row.shard}, seq 1 to") and "missing" in problem
        for book, where, problem in found(signing)
        if book == "journal"
    )


def test_a_tail_cut_off_everywhere_is_caught_by_the_checkpoint(
    signing: dict[str, str], books: Competition, execute: Execute
) -> None:
    ((subject, seq),) = execute("SELECT subject, seq FROM checkpoints WHERE subject LIKE 'shard:%' LIMIT 1")
    shard = int(subject.split(":")[1])
    execute("DELETE FROM ballots WHERE shard = %s AND seq >= %s", shard, seq)
    chain_anew(execute, shard)

    findings = [one for one in found(signing) if one[0] in ("journal", "checkpoints")]

    assert [one[:2] for one in findings] == [("checkpoints", f"{subject}, seq {seq}")]
    assert "cut off" in findings[0][2]


@pytest.mark.parametrize("damage", ["edited", "removed", "digest"])
def test_a_chain_made_anew_is_caught_by_the_checkpoint(
    signing: dict[str, str], books: Competition, execute: Execute, damage: str
) -> None:
    ((subject, seq),) = execute("SELECT subject, seq FROM checkpoints WHERE subject LIKE 'shard:%' AND seq > 2 LIMIT 1")
    shard = int(subject.split(":")[1])
    if damage == "removed":
        execute("DELETE FROM ballots WHERE shard = %s AND seq = 2", shard)
    else:
        execute("UPDATE ballots SET digest = sha256('x') WHERE shard = %s AND seq = 2", shard)
    if damage == "edited":
        execute("UPDATE ballots SET choice = 'b' WHERE shard = %s AND seq = 2", shard)
    chain_anew(execute, shard)

    findings = [one for one in found(signing) if one[0] == "checkpoints"]

    assert [one[1] for one in findings] == [f"{subject}, seq {seq}"]
    assert "made anew" in findings[0][2]
    assert "ballot" in findings[0][2]


def test_a_head_that_differs_is_named(signing: dict[str, str], books: Competition, execute: Execute) -> None:
    row = a_row(execute)
    execute("UPDATE log_positions SET chain = sha256('x'), position = 1 WHERE shard = %s", row.shard)

    problems = [problem for _, where, problem in found(signing) if where.startswith(f"shard {row.shard}, ")]

    assert len(problems) == 2
    assert "recorded last" in problems[0]
    assert "beyond" in problems[1]


def test_an_epoch_without_a_gap_row_is_named(
    signing: dict[str, str], books: Competition, execute: Execute, log: BallotLog, worker: Worker, settings: Settings
) -> None:
    log._call("FLUSHALL")
    worker.step()
    log._call("FLUSHALL")
    worker.step()
    voters = execute("SELECT user_id FROM votes WHERE competition_id = %s", books.id)
    changeable = execute("SELECT id FROM competitions WHERE allow_change")[0][0]
    cast_all(settings, [(changeable, voter[0], "a") for voter in voters])
    worker.step()
    assert found(signing) == [], "two gaps with nothing between them"

    ((shard,),) = execute("DELETE FROM log_gaps WHERE id = (SELECT max(id) FROM log_gaps) RETURNING shard")

    assert [("gap row" in problem, where.split(",")[0]) for _, where, problem in found(signing)] == [
        (True, f"shard {shard}")
    ]


# --- checkpoints ----------------------------------------------------------------------------------------------------------


def test_forged_and_missing_checkpoints_are_named(
    signing: dict[str, str], books: Competition, execute: Execute
) -> None:
    ((audit,),) = execute("SELECT seq FROM checkpoints WHERE subject = 'audit'")
    ((subject, seq),) = execute("SELECT subject, seq FROM checkpoints WHERE subject LIKE 'shard:%' ORDER BY 1 LIMIT 1")
    execute("UPDATE checkpoints SET signature = sha256('x') || sha256('y') WHERE subject = 'audit'")
    execute("UPDATE checkpoints SET key_id = 'another' WHERE subject = %s", subject)
    findings = found(signing)
    assert [one[1] for one in findings] == [f"audit, seq {audit}", f"{subject}, seq {seq}"]
    assert "does not fit" in findings[0][2]
    assert "not among" in findings[1][2]

    execute("DELETE FROM checkpoints")
    assert found(signing) == [], "the worker may sign in a moment"
    execute("UPDATE ballots SET recorded_at = recorded_at - interval '2 hours'")
    named = rows_of(found(signing), "checkpoints")
    assert f"{subject}, seq 1" in named
    assert len(named) == 8


def test_keys_before_a_change_are_still_known(
    signing: dict[str, str], books: Competition, worker: Worker, execute: Execute, make_user: Callable[..., Account]
) -> None:
    worker.keeper.signer = Signer(OTHER_KEY)
    execute(
        "INSERT INTO checkpoints SELECT 'shard:99999', 1, chain, made_at, key_id, signature FROM checkpoints LIMIT 1"
    )
    execute("DELETE FROM checkpoints WHERE subject = 'audit'")
    worker.keeper.sign()
    both = signing | {"CHECKPOINT_PUBLIC_KEY": f"{Signer(OTHER_KEY).public}, {Signer(KEY).public}"}

    assert [one[1] for one in found(both)] == ["shard:99999, seq 1"]


# --- the audit log ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("damage", "named", "words"),
    [
        ("UPDATE audit_log SET actor = 'nobody' WHERE id = %s", 0, "changed"),
        ("UPDATE audit_log SET at = at + interval '1 s' WHERE id = %s", 0, "changed"),
        ("UPDATE audit_log SET after = '{}' WHERE id = %s", 0, "changed"),
        ("UPDATE audit_log SET chain = sha256('x') WHERE id = %s", 0, "changed"),
        ("DELETE FROM audit_log WHERE id = %s", 1, "removed"),
    ],
)
def test_a_damaged_audit_log_is_named(
    signing: dict[str, str], books: Competition, execute: Execute, damage: str, named: int, words: str
) -> None:
    ids = [row[0] for row in execute("SELECT id FROM audit_log ORDER BY id")]
    execute(damage, ids[3])

    findings = found(signing)

    assert findings[0][:2] == ("audit log", f"id {ids[3 + named]}")
    assert words in findings[0][2]


def test_two_swapped_audit_rows_are_named(signing: dict[str, str], books: Competition, execute: Execute) -> None:
    ids = [row[0] for row in execute("SELECT id FROM audit_log ORDER BY id")]
    execute("ALTER TABLE audit_log ALTER id DROP IDENTITY")
    for old, new in ((ids[3], -1), (ids[4], ids[3]), (-1, ids[4])):
        execute("UPDATE audit_log SET id = %s WHERE id = %s", new, old)

    assert {f"id {ids[3]}", f"id {ids[4]}"} <= set(rows_of(found(signing), "audit log"))


def test_an_audit_log_cut_off_is_caught_by_its_checkpoint(
    signing: dict[str, str], books: Competition, execute: Execute
) -> None:
    ((audit,),) = execute("SELECT seq FROM checkpoints WHERE subject = 'audit'")
    execute("DELETE FROM audit_log WHERE id >= %s", audit)

    assert [one[:2] for one in found(signing)] == [("checkpoints", f"audit, seq {audit}")]


def test_an_audit_chain_made_anew_is_caught_by_its_checkpoint(
    signing: dict[str, str], books: Competition, execute: Execute
) -> None:
    ids = [row[0] for row in execute("SELECT id FROM audit_log ORDER BY id")]
    execute("UPDATE audit_log SET actor = 'nobody' WHERE id = %s", ids[0])
    chain = BEGINNING
    for number in ids:
        ((chain,),) = execute(
            "UPDATE audit_log SET chain = audit_chain(%s, at, actor, action, subject, subject_id, before, after)"
            " WHERE id = %s RETURNING chain",
            chain,
            number,
        )

    findings = found(signing)

    assert [one[0] for one in findings] == ["checkpoints"]
    assert "made anew" in findings[0][2]


# --- what is counted -------------------------------------------------------------------------------------------------------


def test_votes_that_are_not_the_journals_are_named(
    signing: dict[str, str], books: Competition, changeable: Competition, voters: list[Account], execute: Execute
) -> None:
    where = [(books.id, voters[0].id), (books.id, voters[1].id), (changeable.id, voters[2].id)]
    execute("UPDATE votes SET choice = 'b' WHERE (competition_id, user_id) = (%s, %s)", *where[0])
    execute("DELETE FROM votes WHERE (competition_id, user_id) = (%s, %s)", *where[1])
    execute("UPDATE votes SET choice = 'a' WHERE (competition_id, user_id) = (%s, %s)", *where[2])
    execute("INSERT INTO votes (competition_id, user_id, choice, created_at) VALUES (%s, 999999, 'a', now())", books.id)

    findings = {where: problem for book, where, problem in found(signing) if book == "votes"}

    names = [f"competition {competition}, user {user}" for competition, user in (*where, (books.id, 999_999))]
    assert findings.keys() == set(names)
    assert "counts for b, and by the journal it is a (shard" in findings[names[0]]
    assert "is missing" in findings[names[1]]
    assert "counts for a, and by the journal it is b (shard" in findings[names[2]]
    assert findings[names[3]] == "has no ballot in the journal"


def test_a_vote_of_another_moment_is_named(
    signing: dict[str, str], books: Competition, voters: list[Account], execute: Execute
) -> None:
    execute("UPDATE votes SET created_at = created_at - interval '1 s' WHERE user_id = %s", voters[0].id)

    assert found(signing)[0][:2] == ("votes", f"competition {books.id}, user {voters[0].id}")


def test_a_wrong_tally_is_named(signing: dict[str, str], books: Competition, execute: Execute) -> None:
    ((shard,),) = execute("SELECT shard FROM tallies WHERE competition_id = %s LIMIT 1", books.id)
    execute("UPDATE tallies SET votes = votes + 5 WHERE competition_id = %s AND shard = %s", books.id, shard)

    assert found(signing) == [
        ("tallies", f"competition {books.id}, option a", f"says {VOTERS + 5}, and there are {VOTERS} votes")
    ]


def test_an_erased_person_who_is_still_there_is_named(
    signing: dict[str, str],
    books: Competition,
    voters: list[Account],
    owner: Database,
    log: BallotLog,
    worker: Worker,
    execute: Execute,
) -> None:
    accounts.erase(owner, log, by=voters[0].id)
    worker.step()
    assert [one for one in found(signing) if one[0] != "checkpoints"] == []

    execute("ALTER TABLE users DROP CONSTRAINT users_check1, DROP CONSTRAINT users_check")
    execute("UPDATE users SET email = 'back@example.com' WHERE id = %s", voters[0].id)

    assert ("people", f"user {voters[0].id}", "is erased and still has: e-mail address") in found(signing)


# --- after retention -------------------------------------------------------------------------------------------------------


@pytest.fixture
def retired(
    books: Competition, changeable: Competition, owner: Database, log: BallotLog, worker: Worker, execute: Execute
) -> Competition:
    """Both competitions closed more than a year ago, and their journal retired."""
    for one in (books, changeable):
        change.close_voting(owner, log, one.id, by="tests")
    for _ in range(2):
        worker._next_schedule = worker._next_push = 0
        worker.step()
    execute("UPDATE competitions SET closed_at = closed_at - interval '2 years'")
    while worker.keeper.retire():
        pass
    assert execute("SELECT count(*) FROM ballots WHERE retired_at IS NULL") == [(0,)]
    return books


def test_books_are_still_verified_when_the_journal_is_retired(
    signing: dict[str, str], retired: Competition, changeable: Competition, voters: list[Account], execute: Execute
) -> None:
    assert found(signing) == []

    where = [(retired.id, voters[0].id), (changeable.id, voters[1].id), (retired.id, voters[2].id)]
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
    assert ("journal", row.name, "is retired and still says who voted what") in findings
    assert f"competition {books.id}" in rows_of(findings, "journal"), "the audit log knows nothing of it"

    execute("UPDATE ballots SET user_id = NULL, choice = NULL, receipt = NULL WHERE id = %s", row.id)
    assert rows_of(found(signing), "journal") == [f"competition {books.id}"]
    execute("ALTER TABLE ballots DROP CONSTRAINT ballots_check")
    execute("UPDATE ballots SET retired_at = NULL WHERE id = %s", row.id)
    assert row.name in rows_of(found(signing), "journal")


def test_the_settings_name_the_key_when_it_is_none(environment: dict[str, str]) -> None:
    with pytest.raises(ConfigError, match="CHECKPOINT_KEY"):
        config.load(environment | {"CHECKPOINT_KEY_FILE": "/nonexistent"})
