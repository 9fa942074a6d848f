"""What the benches stand on still fits the schema: nobody runs them daily."""

import pytest

from bench.ground import prepared
from bench.voters import requests

pytestmark = pytest.mark.slow


def test_the_ground_of_a_bench_can_be_prepared() -> None:
    with prepared(10, shared_competitions=1) as (ground, shared):
        assert len(shared) == 1
        assert len(requests(ground.crowd, "bearer", shared[0])) == 10
