"""A soak of a minute, for the faults of `tests/faults/soak.py`. The suite does not collect it."""

from tests.soak.load import Rates
from tests.soak.soak import run

SECONDS = 70.0


def test_a_short_soak_is_clean() -> None:
    found = run(SECONDS, Rates())

    assert found.is_clean, "\n".join(found.lines())
