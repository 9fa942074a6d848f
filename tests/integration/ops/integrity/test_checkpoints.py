"""A chain that was made anew, or cut off everywhere, is caught by the signed checkpoint; a forged one is named."""

from collections.abc import Callable

import pytest

from tests.integration.ops.integrity.conftest import KEY
from tests.integration.ops.integrity.damage import Execute, chain_anew, found, rows_of
from vote.actions.checkpoints import Signer
from vote.db.users import Account
from vote.domain.competition import Competition
from vote.worker.worker import Worker

OTHER_KEY = "YW5vdGhlci1rZXktb2YtdGhlLXRlc3RzLTAxMjM0NTY="


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
    assert "recomputed" in findings[0][2]
    assert "ballot" in findings[0][2]


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
    worker.maintenance.signer = Signer(OTHER_KEY)
    execute(
        "INSERT INTO checkpoints SELECT 'shard:99999', 1, chain, made_at, key_id, signature FROM checkpoints LIMIT 1"
    )
    execute("DELETE FROM checkpoints WHERE subject = 'audit'")
    worker.maintenance.sign()
    both = signing | {"CHECKPOINT_PUBLIC_KEY": f"{Signer(OTHER_KEY).public}, {Signer(KEY).public}"}

    assert [one[1] for one in found(both)] == ["shard:99999, seq 1"]
