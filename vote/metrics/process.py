"""Metrics of the processes of a part, read from /proc when asked: the library drops its own where several processes are
summed. A part is a process and all that it started: gunicorn and its children, a worker, the backups and their programs.
"""

import contextlib
import os
from collections.abc import Iterable
from importlib.metadata import version
from pathlib import Path
from typing import ClassVar, NamedTuple

from prometheus_client import Gauge
from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from vote.metrics.registry import REGISTRY

PROC = Path("/proc")
# Fields of /proc/<pid>/stat behind the name (proc_pid_stat(5)): utime, stime, cutime, cstime, and rss in pages.
TIMES, RSS = slice(11, 15), 21

SECRETS_OUTDATED = Gauge(
    "vote_secrets_outdated",
    "Secrets that a restart would change, in the process with most of them.",
    multiprocess_mode="livemax",
    registry=REGISTRY,
)


class ProcessFigures(NamedTuple):
    """The figures of one process. `share_bytes`: its resident memory, with its share of pages that several processes have.

    `cpu_s` includes that of children that have ended.
    """

    resident_bytes: int
    share_bytes: int
    cpu_s: float
    open_fds: int


class ProcessCollector(Collector):
    """A collector of the figures of a part: the process `root` (None: this one) and its descendants."""

    root: ClassVar[int | None] = None  # set by a process that forks others, which inherit it

    def __init__(self, part: str, *, commit: str) -> None:
        self._part, self._commit, self._version = part, commit, version("vote-app")

    def collect(self) -> Iterable[Metric]:
        """Yield what this part is and what its processes take; only the former where there is no /proc."""
        build = GaugeMetricFamily("vote_build_info", "What runs. Always 1.", labels=["version", "commit", "part"])
        build.add_metric([self._version, self._commit, self._part], 1)
        yield build
        processes = [found for pid in tree_of(self.root or os.getpid()) if (found := figures_of(pid)) is not None]
        if not processes:
            return
        text = "Resident memory of all processes of the part. What they share counts once."
        yield self._gauge("vote_process_resident_bytes", text, sum(one.share_bytes for one in processes))
        text = "Resident memory of the largest process of the part."
        yield self._gauge("vote_process_resident_max_bytes", text, max(one.resident_bytes for one in processes))
        yield self._gauge(
            "vote_process_open_fds", "File descriptors open in all processes.", sum(one.open_fds for one in processes)
        )
        text = "Processor time of all processes of the part, those that have ended too."
        cpu = CounterMetricFamily("vote_process_cpu_seconds", text, labels=["part"])
        cpu.add_metric([self._part], sum(process.cpu_s for process in processes))
        yield cpu

    def _gauge(self, name: str, text: str, value: float) -> Metric:
        family = GaugeMetricFamily(name, text, labels=["part"])
        family.add_metric([self._part], value)
        return family


def tree_of(root: int) -> list[int]:
    """Return the process and all its descendants."""
    pids, new = [root], [root]
    while new:
        new = [child for pid in new for child in _children_of(pid)]
        pids += new
    return pids


def figures_of(pid: int) -> ProcessFigures | None:
    """Return the figures of a process; None when it is not, or no longer, there."""
    try:
        fields = (PROC / str(pid) / "stat").read_text("ascii", "replace").rpartition(")")[2].split()
    except OSError:
        return None
    open_fds = 0
    with contextlib.suppress(OSError):  # another user's
        open_fds = len(os.listdir(PROC / str(pid) / "fd"))
    ticks = sum(int(field) for field in fields[TIMES])
    resident = int(fields[RSS]) * os.sysconf("SC_PAGE_SIZE")
    return ProcessFigures(resident, _share_of(pid) or resident, ticks / os.sysconf("SC_CLK_TCK"), open_fds)


def _share_of(pid: int) -> int | None:
    """Return the proportional set size in bytes (proc_pid_smaps(5)): a fork's pages are its parent's until one writes."""
    with contextlib.suppress(OSError):
        for line in (PROC / str(pid) / "smaps_rollup").read_text("ascii").splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1]) * 1024
    return None


def _children_of(pid: int) -> list[int]:
    found: list[int] = []
    with contextlib.suppress(OSError):
        for task in (PROC / str(pid) / "task").iterdir():
            with contextlib.suppress(OSError):
                found += map(int, (task / "children").read_text("ascii").split())
    return found
