"""Faults of coming back: after an outage, after a restore. The form is that of `planted.py`."""

from tests.faults.planted import BOX, Fault

OUTAGE_FAULTS = (
    Fault(
        "who is told without a try puts off the next try",
        "accepted again within 1 s of the log's return, however many press",
        "vote/ballotlog/box.py",
        "                raise ConnectionError\n            self._next_connect",
        "                self._next_connect = time.monotonic() + RETRY_CONNECT_S\n"
        "                raise ConnectionError\n            self._next_connect",
        (f"{BOX}::test_a_log_that_is_down_costs_no_time_and_works_again_when_it_is_back",),
    ),
)
