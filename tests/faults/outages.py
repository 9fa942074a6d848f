"""Faults of coming back: after an outage, after a restore. The form is that of `fault.py`."""

from tests.faults.ballot_log import BOX
from tests.faults.fault import Fault
from tests.faults.keeping import TRIMMING

ERASURE = "tests/integration/worker/test_erasure.py"
UNUSED = f"{ERASURE}::test_accounts_that_nobody_uses_are_erased_and_a_restore_erases_them_again"
OUTAGE_FAULTS = (
    Fault(
        "what only the primary has is recorded",
        "R6: PostgreSQL is never ahead of the log that is left after a failover",
        "vote/worker/drain.py",
        "            log.wait_for_replicas(shard, entries[-1].position)\n",
        "            pass\n",
        ("tests/integration/worker/test_replicated.py::test_what_the_replica_lacks_is_not_recorded",),
    ),
    Fault(
        "who is told without a try puts off the next try",
        "accepted again within 1 s of the log's return, however many press",
        "vote/ballotlog/box_connection.py",
        "                raise ConnectionError\n            self._next_try",
        "                self._next_try = now + RETRY_S\n                raise ConnectionError\n            self._next_try",
        (f"{BOX}::test_a_log_that_is_down_costs_no_time_and_works_again_when_it_is_back",),
    ),
    Fault(
        "entries that are missing are stepped over",
        "R9: a database restored to before the trim leaves a gap row",
        "vote/worker/drain.py",
        "        if has_hole(position, state, entries):\n",
        "        if False:\n",
        (f"{TRIMMING}::test_a_database_restored_to_before_the_trim_leaves_a_gap_also_while_the_log_runs_on",),
    ),
    Fault(
        "votes that cannot be replayed are lost without a word",
        "R9: a restore to before the trim needs --accept-loss",
        "vote/ops/backup/replay_coverage.py",
        "    if not accept_loss:\n",
        "    if False:\n",
        ("tests/integration/ops/test_backups.py::test_a_restore_to_a_time_and_back_to_the_end",),
    ),
    Fault(
        "who votes and never logs in is erased as unused",
        "ACCOUNT_KEEP_DAYS: only who neither logs in nor votes",
        "vote/db/migrations/0008_numbers.sql",
        "          AND NOT EXISTS (SELECT FROM votes v WHERE v.user_id = u.id\n"
        "                          AND coalesce(v.changed_at, v.created_at) >= now() - make_interval(days => keep_days))\n",
        "",
        (UNUSED,),
    ),
    Fault(
        "admins and organisers are erased as unused",
        "ACCOUNT_KEEP_DAYS: voters only",
        "vote/db/migrations/0008_numbers.sql",
        "u.role = 'voter' AND ",
        "",
        (UNUSED,),
    ),
    Fault(
        "an unused account comes back with a restore",
        "R10: erased as by its owner's request",
        "vote/actions/accounts.py",
        "        log.append_erasure(person)  # what",
        "        pass  # what",
        (UNUSED,),
    ),
    Fault(
        "a measurement that an ask has overtaken counts",
        "a frozen replica costs one reader one short timeout",
        "vote/db/replica.py",
        " and reached[-1] > self._failed_at",
        "",
        ("tests/integration/db/test_replica.py::test_a_measurement_that_a_failed_ask_has_overtaken_says_nothing",),
    ),
    Fault(
        "an export is read from a replica that lacks the newest",
        "an export is complete as of the moment it states",
        "vote/db/replica.py",
        "question(replica_tx) if _reaches(replica_tx, wanted) else None",
        "question(replica_tx)",
        (
            "tests/integration/db/test_replica.py"
            "::test_an_export_is_read_from_it_only_when_it_holds_all_that_the_primary_holds",
        ),
    ),
)
