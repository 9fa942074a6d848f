"""Sum the metrics of all processes of a web, those that have ended too: each writes to files of its own in one folder.

The files of a process that has ended are added to one file of sums, or the folder would grow with each process. No lock is
taken, so a frozen reader stops nobody. The sums are replaced in one step, and name the files that they contain until those
are deleted: a reader that has listed such a file skips it, and begins again when it finds it gone.
"""

import contextlib
import json
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import structlog
from prometheus_client import multiprocess
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector
from prometheus_client.samples import Sample

SUMS = "ended.json"
DAMAGED = ".damaged"
TRIES = 20  # a process would have to end during each of them

logger = structlog.get_logger()


class FolderCollector(Collector):
    """A collector of the sums over all processes, also over those that have ended."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def collect(self) -> Iterable[Metric]:
        """Return every metric. Raises FileNotFoundError if processes end faster than it can read."""
        for left in range(TRIES - 1, -1, -1):
            files = sorted(self._folder.glob("*.db"))  # first, so that the sums have what is gone by then
            ended, contained = _read_sums(self._folder)
            try:
                return _merged([file for file in files if file.name not in contained], ended)
            except FileNotFoundError:
                if not left:
                    raise
        raise AssertionError("unreachable: the last try returns or raises")


def process_ended(folder: Path, pid: int) -> None:
    """Add what an ended process counted to the sums, and delete its files. For the parent of all processes alone.

    Gauges that count the living are deleted. Files that cannot be read are set aside, and logged.
    """
    for gauge in folder.glob(f"gauge_live*_{pid}.db"):
        gauge.unlink(missing_ok=True)
    files = [folder / f"{kind}_{pid}.db" for kind in ("counter", "histogram")]
    files = [file for file in files if file.exists()]
    try:
        ended = _merged(files, _read_sums(folder)[0], accumulate=False)
        _write_sums(folder, ended, [file.name for file in files])
    except Exception:  # whatever it is: the web goes on without these figures
        logger.exception("metrics not summed")
        for file in files:
            file.rename(f"{file}{DAMAGED}")
        return
    for file in files:
        file.unlink(missing_ok=True)
    with contextlib.suppress(OSError):
        _write_sums(folder, ended, [])  # a later process may get the same number, and files of the same name


def clear(folder: Path) -> None:
    """Delete all files of an earlier start, which would be counted. Raises OSError."""
    for old in (*folder.glob("*.db"), folder / SUMS):
        old.unlink(missing_ok=True)


def _merged(files: list[Path], ended: list[Metric], *, accumulate: bool = True) -> list[Metric]:
    """Return the sums of files and of what ended processes left. Raises FileNotFoundError."""
    merging: Any = multiprocess.MultiProcessCollector
    metrics: dict[str, Metric] = merging._read_metrics([str(file) for file in files])
    for left in ended:
        known = metrics.setdefault(left.name, left)
        if known is not left:
            known.samples = [*known.samples, *left.samples]
    for metric in metrics.values():  # the library sums samples with labels in this form
        metric.samples = [sample._replace(labels=_sortable(sample.labels)) for sample in metric.samples]
    return list(merging._accumulate_metrics(metrics, accumulate))


def _sortable(labels: Any) -> Any:
    return tuple(sorted(labels.items())) if isinstance(labels, dict) else labels


def _read_sums(folder: Path) -> tuple[list[Metric], frozenset[str]]:
    """Return what ended processes left, and the names of files that it contains."""
    try:
        kept = json.loads((folder / SUMS).read_text("utf-8"))
    except FileNotFoundError:
        return [], frozenset()
    metrics = []
    for name, text, kind, samples in kept["metrics"]:
        metric = Metric(name, text, kind)
        metric.samples = [Sample(sample, labels, value) for sample, labels, value in samples]
        metrics.append(metric)
    return metrics, frozenset(kept["contains"])


def _write_sums(folder: Path, metrics: list[Metric], contains: list[str]) -> None:
    kept = [
        (one.name, one.documentation, one.type, [(sample.name, sample.labels, sample.value) for sample in one.samples])
        for one in metrics
    ]
    new = folder / f"{SUMS}.new"
    new.write_text(json.dumps({"metrics": kept, "contains": contains}), "utf-8")
    os.replace(new, folder / SUMS)
