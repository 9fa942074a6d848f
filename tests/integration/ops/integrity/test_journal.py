"""Each kind of damage to the journal is found and named."""

from collections.abc import Callable

import pytest

from tests.casting import cast_all
from tests.integration.ops.integrity.damage import Execute, a_row, found, rows_of
from vote.ballotlog.log import BallotLog
from vote.config import Settings
from vote.db.users import Account
from vote.domain.competition import Competition
from vote.worker.worker import Worker


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
        "user_id = (SELECT min(id) FROM users WHERE id <> ballots.user_id)",
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

    assert any("used before" in problem for _, where, problem in findings if where.startswith(f"shard {row.shard}, "))
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
