"""Faults of coming back: after an outage, after a restore. The form is that of `planted.py`."""

from tests.faults.keeping import KEEPING
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
    Fault(
        "entries that are missing are stepped over",
        "R9: a database restored to before the trim leaves a gap row",
        "vote/worker/drain.py",
        "        if has_hole(at, state, entries):\n",
        "        if False:\n",
        (f"{KEEPING}::test_a_database_restored_to_before_the_trim_leaves_a_gap_also_while_the_log_runs_on",),
    ),
    Fault(
        "votes that cannot be replayed are lost without a word",
        "R9: a restore to before the trim needs --accept-loss",
        "vote/ops/backup/reach.py",
        "    if not accept_loss:\n",
        "    if False:\n",
        ("tests/integration/ops/test_backups.py::test_a_restore_to_a_time_and_back_to_the_end",),
    ),
)
