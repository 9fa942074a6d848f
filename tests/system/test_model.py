"""The real code against the reference model: everything that may happen, in any order, on real servers.

A Hypothesis state machine presses buttons, steps workers one by one, loses answers, kills and empties the log, restores
PostgreSQL; the reference says after each step what was allowed. At the end everything is healed and the promises must
hold. All of it lives in `tests/model/`. The runs are the same each time; MODEL_EXAMPLES and MODEL_STEPS make them more
and longer, MODEL_SEED others.
"""

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, seed, settings
from hypothesis.stateful import run_state_machine_as_test

from tests.conftest import FLASK_SECRET, JWT_SECRET
from tests.model.clients import SHARDS
from tests.model.machine import Machine
from tests.model.world import World
from tests.servers import start_pair
from vote import config
from vote.db import migrate
from vote.worker import erasures, schedule

pytestmark = pytest.mark.slow

EXAMPLES = int(os.environ.get("MODEL_EXAMPLES", "30"))
STEPS = int(os.environ.get("MODEL_STEPS", "50"))
SEED = os.environ.get("MODEL_SEED")


@pytest.fixture
def world(server_source: Any, tmp_path: Path) -> Iterator[World]:
    """Servers of its own: this PostgreSQL is never killed, so it need not wait for its disk."""
    pair = start_pair(server_source, tmp_path, durable=False)
    migrate.upgrade(pair.owner_url)
    environment = {
        "FLASK_SECRET_KEY": FLASK_SECRET,
        "JWT_SECRET": JWT_SECRET,
        "DATABASE_URL": pair.owner_url,
        "REDIS_URL": pair.redis_url,
        "VOTE_HOME": str(tmp_path / "home"),
        "VOTE_SHARDS": str(SHARDS),
    }
    one = World(pair, config.load(environment))
    yield one
    one.close()
    pair.stop()


def test_the_code_keeps_what_the_model_promises(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(erasures, "REPEAT_ERASURE_S", 0)
    monkeypatch.setattr(schedule, "SETTLE_MS", 0)  # `a_second_passes` instead, before anything can become final
    run: Callable[..., None] = run_state_machine_as_test
    if SEED is not None:
        run = seed(int(SEED))(run)
    run(
        lambda: Machine(world),
        settings=settings(
            max_examples=EXAMPLES,
            stateful_step_count=STEPS,
            derandomize=SEED is None,
            database=None,
            deadline=None,
            phases=[Phase.generate, Phase.shrink],
            suppress_health_check=list(HealthCheck),
        ),
    )
