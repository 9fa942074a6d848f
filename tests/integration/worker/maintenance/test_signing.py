"""Signed heads: what is signed, when, and with which key."""

from datetime import timedelta

import pytest
from structlog.testing import capture_logs

from tests.casting import cast
from tests.integration.worker.maintenance.maintained import Execute, MakeCompetition, MakeUser
from vote import config
from vote.actions.checkpoints import Signer, Verifier
from vote.config import Settings
from vote.db import integrity
from vote.db.pool import Database
from vote.errors import ConfigError
from vote.worker.maintenance import Maintenance
from vote.worker.worker import Worker

KEY = "c2lnbmluZy1rZXktb2YtdGhlLXRlc3RzLTAxMjM0NTY="


def signed(owner: Database) -> list[tuple[str, int]]:
    with owner.read() as tx:
        return [(row[0], row[1]) for row in tx.execute("SELECT subject, seq FROM checkpoints ORDER BY subject, seq")]


def test_heads_are_signed_when_they_moved_and_at_most_once_a_minute(
    owner: Database,
    settings: Settings,
    worker: Worker,
    keeper: Maintenance,
    make_user: MakeUser,
    make_competition: MakeCompetition,
    execute: Execute,
) -> None:
    keeper.signer = Signer(KEY)
    competition, voter = make_competition(), make_user()
    shard = cast(settings, competition.id, voter.id, "a").shard
    worker.step()
    keeper.sign()
    keeper.sign()
    audit = execute("SELECT max(id) FROM audit_log")[0][0]
    assert signed(owner) == [("audit", audit), (f"shard:{shard}", 1)]

    make_user()
    keeper.sign()
    assert len(signed(owner)) == 2, "not a minute later"
    execute("UPDATE checkpoints SET made_at = made_at - interval '2 minutes'")
    keeper.sign()

    assert signed(owner) == [("audit", audit), ("audit", audit + 1), (f"shard:{shard}", 1)]


def test_a_checkpoint_says_who_signed_what(
    owner: Database, keeper: Maintenance, make_user: MakeUser, execute: Execute
) -> None:
    keeper.signer = Signer(KEY)
    make_user()
    keeper.sign()

    with integrity.snapshot(owner) as tx:
        (covered,) = integrity.checkpoints(tx)
    assert covered.chain == covered.checkpoint.head.chain
    verifier = Verifier([keeper.signer.public])
    assert verifier.problem(covered.checkpoint) is None
    for forged in (
        covered.checkpoint._replace(made_at=covered.checkpoint.made_at + timedelta(seconds=1)),
        covered.checkpoint._replace(head=covered.checkpoint.head._replace(seq=7)),
        covered.checkpoint._replace(head=covered.checkpoint.head._replace(subject="shard:1")),
        covered.checkpoint._replace(head=covered.checkpoint.head._replace(chain=bytes(32))),
    ):
        assert "does not fit" in str(verifier.problem(forged))
    assert "not among" in str(Verifier([]).problem(covered.checkpoint))


def test_without_a_key_nothing_is_signed_and_the_log_says_so_once(
    owner: Database, worker: Worker, keeper: Maintenance, make_user: MakeUser
) -> None:
    make_user()
    keeper._has_warned = False
    with capture_logs() as lines:
        keeper.sign()
        keeper.sign()

    assert [line["event"] for line in lines] == ["chains not signed"]
    assert signed(owner) == []


def test_a_production_worker_needs_a_key_that_is_one(environment: dict[str, str]) -> None:
    with pytest.raises(ConfigError, match="CHECKPOINT_KEY is not set"):
        Worker.from_settings(config.load(environment | {"VOTE_ENV": "production"}))
    for wrong in ("too-short", "-----BEGIN PRIVATE KEY-----\nno\n-----END PRIVATE KEY-----", "&" * 44):
        with pytest.raises(ConfigError, match="not an Ed25519 private key"):
            Worker.from_settings(config.load(environment | {"CHECKPOINT_KEY": wrong}))
    worker = Worker.from_settings(config.load(environment | {"VOTE_ENV": "production", "CHECKPOINT_KEY": KEY}))
    assert worker.maintenance.signer is not None
    worker.close()
