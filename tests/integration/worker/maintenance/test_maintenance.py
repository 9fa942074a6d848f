"""What the keeper does by itself, and how often."""

import pytest

from tests.integration.worker.maintenance.maintained import Execute, step
from vote.db import shard_positions, users
from vote.db.pool import Database
from vote.worker.maintenance import Maintenance
from vote.worker.worker import Worker


def test_the_worker_does_it_by_itself_about_once_a_minute(worker: Worker, monkeypatch: pytest.MonkeyPatch) -> None:
    done: list[str] = []
    for name in ("sign", "mark", "trim", "forget", "retire"):
        monkeypatch.setattr(Maintenance, name, lambda _keeper, name=name: done.append(name))

    worker.maintenance._next = worker.maintenance._next_retire = 0
    step(worker)
    step(worker)

    assert done == ["sign", "mark", "trim", "forget", "retire"]
    with worker.db.read() as tx:
        assert shard_positions.count_recorded(tx) == 0


def test_revocations_without_effect_are_deleted(owner: Database, keeper: Maintenance, execute: Execute) -> None:
    with owner.transaction(by="tests") as tx:
        users.revoke(tx, "jti:old", keep_hours=1)
        users.revoke(tx, "jti:new", keep_hours=24)
    execute("UPDATE revocations SET expires_at = expires_at - interval '3 hours'")

    keeper.mark()

    assert execute("SELECT subject FROM revocations") == [("jti:new",)]
