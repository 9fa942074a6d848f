"""The database is lost: what `vote up` says, what `vote restore` brings back, and a small drill under load."""

import os
import shutil
import signal
from pathlib import Path

import pytest

from tests.drill.drill import Drill
from tests.stack import wait_until
from tests.system.up import Start, start, vote
from vote.ops.embedded.programs import ServerSource
from vote.ops.embedded.stale_servers import servers_in

pytestmark = [pytest.mark.slow, pytest.mark.system]
__all__ = ["start"]  # the fixture


def test_a_lost_database_is_not_made_anew_but_restored(start: Start, tmp_path: Path) -> None:
    first = start(tmp_path / "home")
    first.wait_ready()
    receipt = first.wait_for_vote("a").json["receipt"]
    made = vote(first, "backup", "create")
    assert made.returncode == 0, made.stderr
    first.post(
        "/register",
        {"username": "late", "email": "l@example.com", "password": "Pass123!", "confirm_password": "Pass123!"},
    )
    assert vote(first, "restore").returncode == 1, "a running installation is not restored over"
    first.process.kill()
    first.process.wait()
    data = (first.home / "servers" / "postgres").resolve()
    wait_until(lambda: not servers_in(data), what="the orphaned server is gone")
    shutil.rmtree(data)

    refused = start(tmp_path / "home")
    assert refused.process.wait(timeout=60) == 1
    assert "Run `vote restore`" in refused.output
    restored = vote(first, "restore")
    assert restored.returncode == 0, restored.stderr

    second = start(tmp_path / "home")
    second.wait_ready()
    assert second.wait_for_vote("a").json["receipt"] == receipt
    wait_until(lambda: second.results(1)["options"] == {"a": 1, "b": 0})
    assert second.post("/login", {"username": "late", "password": "Pass123!"}).status == 200
    assert second.end(signal.SIGTERM) == 0


def test_a_small_drill_loses_nothing(server_source: ServerSource, tmp_path: Path) -> None:
    found = Drill(
        server_source, tmp_path, 1_500, rate=float(os.environ.get("DRILL_RATE", "150")), say=lambda _line: None
    ).run()

    assert found.is_clean, found.line()
    assert found.acknowledged >= 1_000
