"""Whether the log takes ballots, by what its server says of itself."""

from typing import Any

import pytest

from vote.ballotlog.server_figures import LogServerFigures

USUAL: dict[str, Any] = {
    "used_memory": 100,
    "maxmemory": 1000,
    "mem_not_counted_for_evict": 0,
    "loading": 0,
    "aof_last_write_status": "ok",
    "role": "master",
    "connected_slaves": 2,
    "slave0": {"ip": "10.0.0.1", "port": 6379, "state": "online", "offset": 1, "lag": 0},
    "slave1": {"ip": "10.0.0.2", "port": 6379, "state": "wait_bgsave", "offset": 0, "lag": 0},
    "slave_repl_offset": 1,
}


def test_a_server_in_order() -> None:
    assert LogServerFigures.parse(USUAL, min_replicas=1) == LogServerFigures(100, 1000, 2, True)


@pytest.mark.parametrize(
    ("trouble", "min_replicas"),
    [
        ({"role": "slave"}, 0),
        ({"loading": 1}, 0),
        ({"aof_last_write_status": "err"}, 0),
        ({"used_memory": 1000}, 0),
        ({}, 2),
    ],
)
def test_what_takes_no_ballot(trouble: dict[str, Any], min_replicas: int) -> None:
    assert not LogServerFigures.parse({**USUAL, **trouble}, min_replicas=min_replicas).is_writable


@pytest.mark.parametrize(
    "fine", [{"maxmemory": 0, "used_memory": 10**12}, {"used_memory": 1050, "mem_not_counted_for_evict": 60}]
)
def test_memory_that_does_not_count(fine: dict[str, Any]) -> None:
    assert LogServerFigures.parse({**USUAL, **fine}, min_replicas=0).is_writable
