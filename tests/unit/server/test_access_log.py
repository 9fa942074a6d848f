"""What the access log counts, beside its lines."""

import asyncio

import pytest

from vote.metrics.registry import REGISTRY
from vote.server.access_log import AccessLog

SLOW = {"method": "POST", "path": "/vote/1", "status": 202, "seconds": 0.501}


@pytest.mark.parametrize(
    ("changed", "slow"),
    [
        ({}, 1),
        ({"status": 409}, 1),
        ({"seconds": 0.5}, 0),
        ({"status": 503}, 0),
        ({"method": "GET"}, 0),
        ({"path": "/login"}, 0),
    ],
    ids=["a slow vote", "a slow refusal", "within the objective", "a failed vote", "a page", "another form"],
)
def test_a_vote_is_slow_after_half_a_second(changed: dict[str, object], slow: int) -> None:
    before = REGISTRY.get_sample_value("vote_slow_votes_total")
    assert before is not None, "it is there, at 0, from the start"

    asyncio.run(_told({**SLOW, **changed}))

    assert REGISTRY.get_sample_value("vote_slow_votes_total") == before + slow


async def _told(request: dict[str, object]) -> None:
    log = AccessLog()
    log.tell(request_id="1", more={}, **request)  # type: ignore[arg-type]
    log.flush()
