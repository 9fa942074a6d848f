"""Faults of metrics; the form is that of `fault.py`."""

from tests.faults.fault import Fault

FOLDER = "tests/unit/metrics/test_folder.py"
PAGE = "tests/integration/server/test_metrics_page.py"
PARTS = "tests/integration/server/test_metrics_of_parts.py"
PROCESS = "tests/unit/metrics/test_process.py"
SEEN = "tests/unit/test_first_seen.py"
SYSTEM = "tests/system/test_metrics.py"
MEASURING_FAULTS = (
    Fault(
        "what an ended process counted is lost",
        "sums are exact, however many processes have ended",
        "vote/metrics/folder.py",
        "        _write_sums(folder, ended, [file.name for file in files])\n",
        "        pass\n",
        (f"{FOLDER}::test_sums_are_exact_after_200_processes_and_nothing_grows",),
    ),
    Fault(
        "an ended process counts twice while it is summed",
        "a reader sees each process once",
        "vote/metrics/folder.py",
        "[file for file in files if file.name not in contained]",
        "files",
        (f"{FOLDER}::test_a_reader_sees_each_process_once_while_it_is_summed",),
    ),
    Fault(
        "files of ended processes stay",
        "the folder does not grow with each process",
        "vote/ops/gunicorn_conf.py",
        "        process_ended(Path(folder), worker.pid)\n",
        "        pass\n",
        (f"{SYSTEM}::test_what_processes_counted_stays_when_they_are_killed",),
    ),
    Fault(
        "a process that has an earlier one's number is not counted",
        "sums are exact, however many processes have ended",
        "vote/metrics/folder.py",
        "        _write_sums(folder, ended, [])  # a later",
        "        pass  # a later",
        (f"{FOLDER}::test_a_later_process_with_the_same_number_counts_too",),
    ),
    Fault(
        "a worker's metrics are given to strangers",
        "/metrics is for METRICS_NETWORKS, of each part",
        "vote/health_server.py",
        "            if not is_in_networks(parse(peer), self._networks, headers):\n",
        "            if False:\n",
        (f"{PARTS}::test_a_workers_metrics_are_not_given_to_strangers",),
    ),
    Fault(
        "a forwarding header opens a worker's metrics",
        "who comes by a proxy that is none of ours stands in no network",
        "vote/health_server.py",
        "is_in_networks(parse(peer), self._networks, headers)",
        "is_in_networks(parse(peer), self._networks, [])",
        (f"{PARTS}::test_nor_to_whoever_comes_by_a_proxy_that_nobody_knows",),
    ),
    Fault(
        "a scrape waits for a frozen store",
        "a scrape answers within 3 s with what it has",
        "vote/server/metrics_page.py",
        "        return asked.result(max(0.0, until - time.monotonic()))\n",
        "        return asked.result()\n",
        (f"{PAGE}::test_a_frozen_database_leaves_the_rest", f"{PAGE}::test_a_frozen_log_leaves_the_rest"),
    ),
    Fault(
        "a log that is full looks as if it took ballots",
        "vote_log_writable is 0 when the log takes no ballots",
        "vote/ballotlog/server_figures.py",
        "            and not is_full\n",
        "",
        (f"{PAGE}::test_the_log_tells_its_memory_and_whether_it_is_written",),
    ),
    Fault(
        "a cache's label names the competition",
        "no label holds an id",
        "vote/services/cache.py",
        '    return name.partition(":")[0]\n',
        "    return name\n",
        (f"{SYSTEM}::test_every_route_leaves_metrics_in_order",),
    ),
    Fault(
        "a login's outcome has no series before the first",
        "counters with known labels exist with 0 from the start",
        "vote/actions/login_throttle.py",
        "        start_at_zero(LOGINS, *LOGIN_OUTCOMES)\n",
        "",
        (f"{SYSTEM}::test_each_part_has_its_names_from_the_start",),
    ),
    Fault(
        "the worker's clock dates the commit",
        "vote_recorded_delay_seconds is on the log's clock",
        "vote/worker/drain.py",
        "state.now_ms / 1000 + time.monotonic() - described_at",
        "time.time()",
        ("tests/integration/worker/test_recorded_delay.py::test_a_wrong_clock_of_the_worker_does_not_count",),
    ),
    Fault(
        "a watcher who comes is told how old the last vote is",
        "vote_snapshot_delay_seconds measures news",
        "vote/live/tally_poller.py",
        "view_of(tally, rules, None if known is None else committed_at)",
        "view_of(tally, rules, 0.0)",
        ("tests/integration/live/test_snapshot_delay.py::test_each_socket_is_measured_from_the_commit_on",),
    ),
    Fault(
        "processor time falls when a process ends",
        "counters only grow",
        "vote/metrics/process.py",
        "TIMES, RSS = slice(11, 15), 21",
        "TIMES, RSS = slice(11, 13), 21",
        (f"{PROCESS}::test_processor_time_of_what_has_ended_stays",),
    ),
    Fault(
        "a secret is as old as its process",
        "a plain variable is as old as the first sight of it",
        "vote/first_seen.py",
        'if before.get(name, {}).get("digest") != digest:',
        "if True:",
        (f"{SEEN}::test_the_first_time_stays_until_the_secret_is_another",),
    ),
    Fault(
        "a rotated variable keeps its age",
        "a plain variable is as old as the first sight of it",
        "vote/first_seen.py",
        'if before.get(name, {}).get("digest") != digest:',
        "if name not in before:",
        (f"{SEEN}::test_the_first_time_stays_until_the_secret_is_another",),
    ),
    Fault(
        "ballots that were reinstated are counted no more",
        "counters only grow",
        "vote/db/service_figures.py",
        "(SELECT coalesce(sum(ballots), 0)::bigint FROM reinstatements)",
        "0",
        (f"{PAGE}::test_ballots_that_were_reinstated_stay_counted",),
    ),
    Fault(
        "a locked account's logins count as delayed",
        "vote_login_total tells locked from delayed",
        "vote/db/attempts.py",
        "coalesce(bool_or(source = %s), false)",
        "coalesce(bool_or(source <> %s), false)",
        ("tests/integration/web/test_metrics.py::test_logins_are_counted_by_what_became_of_them",),
    ),
)
