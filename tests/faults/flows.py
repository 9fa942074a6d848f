"""Faults of connections that lead nowhere, and of stores that are frozen. The form is that of `fault.py`."""

from tests.faults.fault import Fault

POOL = "vote/db/pool.py"
REVOKED = "vote/identity/revocations.py"
BOX = "vote/ballotlog/ballot_box.py"
SILENT = "tests/integration/db/test_silent_connections.py"
LOG_OUTS = "tests/integration/identity/test_revocations.py"
FROZEN_LOG = "tests/integration/ballotlog/test_frozen_log.py"
SYSTEM = "tests/system/test_half_open_connections.py"

FLOW_FAULTS = (
    Fault(
        "a statement waits forever for a server that says nothing",
        "recording goes on by itself within 10 s",
        POOL,
        "self.timeout_s if timeout is None else timeout",
        "timeout",
        (f"{SILENT}::test_a_statement_without_an_answer_ends_and_its_connection_is_not_used_again",),
    ),
    Fault(
        "a connection without an answer is used again",
        "an answer is never read as another one's",
        POOL,
        "                self.pgconn.finish()  # the answer",
        "                pass  # the answer",
        (f"{SILENT}::test_a_connection_without_an_answer_is_closed_so_that_no_late_answer_is_read",),
    ),
    Fault(
        "who wakes in a transaction that is over ends with an error nobody expected",
        "a frozen worker goes on when it wakes",
        POOL,
        "LOST = (OperationalError, IdleInTransactionSessionTimeout)",
        "LOST = (OperationalError,)",
        ("tests/integration/db/test_pool.py::test_who_was_frozen_in_a_transaction_finds_the_database_unavailable",),
    ),
    Fault(
        "each dead connection of a pool is waited for",
        "pages are answered in time after a connection went dead",
        POOL,
        "                self._pool.drain()\n",
        "                pass\n",
        (f"{SILENT}::test_connections_that_went_silent_while_idle_cost_one_short_check_for_all",),
    ),
    Fault(
        "connections to PostgreSQL are not probed",
        "a peer that is gone without a word is noticed within seconds",
        POOL,
        "        **tcp_keepalive.for_postgres(target.url),\n",
        "",
        (f"{SILENT}::test_idle_connections_are_probed_by_the_kernel", "tests/unit/test_redis_client.py"),
    ),
    Fault(
        "connections to the log are not probed",
        "a peer that is gone without a word is noticed within seconds",
        "vote/redis_client.py",
        '{"socket_keepalive": True, "socket_keepalive_options": tcp_keepalive.for_socket()}',
        "{}",
        (f"{FROZEN_LOG}::test_idle_connections_to_the_log_are_probed_by_the_kernel",),
    ),
    Fault(
        "nobody watches whether the worker's loop goes on",
        "a worker that has done no turn for 30 s ends itself",
        "vote/worker/loop.py",
        "    watchdog.start()\n",
        "",
        ("tests/integration/worker/test_watchdog.py::test_a_worker_whose_loop_stands_still_ends_itself",),
    ),
    Fault(
        "a turn that fails counts as none",
        "a worker waits for its stores as long as they are away",
        "vote/worker/loop.py",
        "            pulse.failed()\n",
        "",
        ("tests/integration/worker/test_watchdog.py::test_a_worker_that_waits_for_its_stores_goes_on",),
    ),
    Fault(
        "no worker shows that it works",
        "operators are told when nothing is recorded",
        "vote/worker/liveness.py",
        "            self._heartbeats.worker_has_turned()\n",
        "            pass\n",
        (f"{SYSTEM}::test_operators_are_told_that_no_worker_works_and_that_recording_stands_still",),
    ),
    Fault(
        "recording that stands still is told to nobody",
        "operators are told when nothing is recorded",
        "vote/server/probes.py",
        "    if lag.still_s > QUIET_S:\n",
        "    if False:\n",
        (f"{SYSTEM}::test_operators_are_told_that_no_worker_works_and_that_recording_stands_still",),
    ),
    Fault(
        "nobody looks how old the list of logouts is",
        "who is logged out does not go on voting in a process that is cut off",
        REVOKED,
        "        if time.monotonic() - self._read_at > STALE_AFTER_S and not self._is_trusted(began):\n",
        "        if not self.is_loaded:\n",
        (f"{LOG_OUTS}::test_who_is_cut_off_while_others_reach_postgresql_lets_in_only_later_logins",),
    ),
    Fault(
        "an outage of PostgreSQL is taken for being cut off",
        "votes are accepted while PostgreSQL is away",
        REVOKED,
        "                self._outage_at = time.monotonic()\n",
        "                pass\n",
        (f"{LOG_OUTS}::test_while_postgresql_is_away_for_everybody_logins_go_on_counting",),
    ),
    Fault(
        "a process that is cut off says that it is ready",
        "/ready names the fault",
        "vote/server/probes.py",
        "    if not services.revocations.is_cut_off:\n",
        "    if True:\n",
        (f"{SYSTEM}::test_a_process_that_is_cut_off_from_postgresql_says_so_and_trusts_no_login_from_before",),
    ),
    Fault(
        "logouts are read over a dead connection forever",
        "a log-out is heard within 3 s where a connection went dead",
        "vote/db/dedicated_connection.py",
        "        connection.timeout_s = within_s\n",
        "        connection.timeout_s = None\n",
        (f"{LOG_OUTS}::test_a_log_out_is_heard_although_the_connection_has_gone_dead_without_a_word",),
    ),
    Fault(
        "logouts are only read on from the last one known",
        "log-outs are heard after a failover that lost the newest rows",
        REVOKED,
        "            if last in rows:\n",
        "            if True:\n",
        (f"{LOG_OUTS}::test_log_outs_are_heard_after_a_failover_that_lost_the_newest_ones",),
    ),
    Fault(
        "receipt keys are only read on from the last one known",
        "receipts are right after a failover that lost the newest rows",
        "vote/casting/receipt_keys.py",
        "            if wanted is None and found.get(self._followed_to) != self._keys.get(self._followed_to):\n",
        "            if False:\n",
        ("tests/integration/casting/test_receipt_keys.py",),
    ),
    Fault(
        "a stream that went dead keeps its slot forever",
        "the stream of the WAL is back by itself",
        "vote/ops/backup/stream.py",
        'f"{SENDER_TIMEOUT_S}s"',
        '"0"',
        (
            "tests/integration/ops/test_backups.py"
            "::test_commits_go_on_and_the_stream_is_back_after_its_connection_went_dead_without_a_word",
        ),
    ),
    Fault(
        "who waited too long takes those behind along",
        "a press is answered within 2 s",
        BOX,
        "            if batch and batch[0].since < latest:\n",
        "            if False:\n",
        (f"{FROZEN_LOG}::test_who_waited_too_long_is_refused_unsent_and_takes_nobody_along",),
    ),
    Fault(
        "each press waits until a frozen log takes a connection",
        "a press is answered within 2 s",
        "vote/ballotlog/box_connection.py",
        "timeout=max(0.0, self._wait_until - now)",
        "timeout=None",
        (f"{FROZEN_LOG}::test_each_press_is_told_in_time_while_the_log_is_frozen",),
    ),
)
