"""What a part takes: its process and all that it started, also what has ended."""

import os
import signal
import subprocess
import sys

from tests.stack import wait_until
from vote.metrics.process import ProcessCollector, figures_of, tree_of

BURN = "import time\nwhile time.process_time() < 0.3: pass\n"


def figures(collector: ProcessCollector) -> dict[str, float]:
    return {sample.name: sample.value for metric in collector.collect() for sample in metric.samples}


def test_a_part_is_a_process_and_its_descendants() -> None:
    alone = figures(ProcessCollector("worker", commit="abc"))
    parent = "import subprocess, sys; subprocess.run([sys.executable, '-c', 'input()'])"
    with subprocess.Popen([sys.executable, "-c", parent], stdin=subprocess.PIPE) as child:
        wait_until(lambda: len(tree_of(child.pid)) == 2)
        both = figures(ProcessCollector("worker", commit="abc"))
        assert {os.getpid(), *tree_of(child.pid)} <= set(tree_of(os.getpid()))
        child.communicate(b"\n")

    assert both["vote_process_resident_bytes"] > alone["vote_process_resident_bytes"]
    assert both["vote_process_open_fds"] > alone["vote_process_open_fds"] > 0


def test_what_a_fork_shares_counts_once() -> None:
    script = "import os, time\nkept = bytearray(os.urandom(64 << 20))\nfor _ in range(3): os.fork()\ntime.sleep(60)"
    with subprocess.Popen([sys.executable, "-c", script]) as parent:
        try:
            wait_until(lambda: len(tree_of(parent.pid)) == 8)
            processes = [found for pid in tree_of(parent.pid) if (found := figures_of(pid)) is not None]
        finally:
            for pid in tree_of(parent.pid):
                os.kill(pid, signal.SIGKILL)

    assert sum(one.resident_bytes for one in processes) > 4 * (64 << 20)
    assert sum(one.share_bytes for one in processes) < 2 * (64 << 20)


def test_processor_time_of_what_has_ended_stays() -> None:
    before = figures(ProcessCollector("worker", commit="abc"))["vote_process_cpu_seconds_total"]
    subprocess.run([sys.executable, "-c", BURN], check=True)

    assert figures(ProcessCollector("worker", commit="abc"))["vote_process_cpu_seconds_total"] >= before + 0.25


def test_what_runs_is_told_with_version_commit_and_part() -> None:
    build = next(iter(ProcessCollector("backup", commit="4a5b6c7").collect()))

    labels = build.samples[0].labels
    assert (labels["commit"], labels["part"], build.samples[0].value) == ("4a5b6c7", "backup", 1)
    assert labels["version"].count(".") == 2


def test_a_process_that_is_gone_has_no_figures() -> None:
    child = subprocess.Popen([sys.executable, "-c", ""])
    child.wait()

    assert figures_of(child.pid) is None
