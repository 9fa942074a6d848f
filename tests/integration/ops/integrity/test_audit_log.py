"""Each kind of damage to the audit log is found and named."""

import pytest

from tests.integration.ops.integrity.damage import Execute, found, rows_of
from vote.domain.chain import BEGINNING
from vote.domain.competition import Competition


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
    assert "recomputed" in findings[0][2]
