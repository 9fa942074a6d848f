"""A parent that starts one process after the other, as gunicorn does; each counts and ends. Run in a process of its own.

    python -m tests.unit.metrics.recycles <folder> <processes>

The library chooses how to count when it is imported, by PROMETHEUS_MULTIPROC_DIR.
"""

import json
import os
import signal
import sys
from pathlib import Path

from vote.metrics import folder as folders
from vote.metrics.registry import start_at_zero
from vote.metrics.web import BALLOTS, REQUEST_SECONDS, WATCHERS


def figures(folder: Path) -> dict[str, float]:
    """Every sample of the page, by name and labels."""
    return {
        sample.name + "".join(f" {value}" for _, value in sorted(sample.labels.items())): sample.value
        for metric in folders.FolderCollector(folder).collect()
        for sample in metric.samples
    }


def work() -> None:
    """What one process counts before it is killed."""
    start_at_zero(BALLOTS, "accepted")
    WATCHERS.inc()
    for _ in range(3):
        BALLOTS.labels("accepted").inc()
    REQUEST_SECONDS.labels("/vote").observe_all([0.004, 0.2])
    os.kill(os.getpid(), signal.SIGKILL)


def main(folder: Path, processes: int) -> None:
    """Print the figures after each process, and how large the folder was after the second and the last."""
    seen, sizes = [], []
    for _ in range(processes):
        pid = os.fork()
        if pid == 0:
            work()
        os.waitpid(pid, 0)
        before = figures(folder)
        folders.process_ended(folder, pid)
        after = figures(folder)
        lost = {name: value for name, value in before.items() if name != "vote_watchers" and after.get(name) != value}
        seen.append((after, lost))
        sizes.append((len(list(folder.iterdir())), sum(file.stat().st_size for file in folder.iterdir())))
    print(json.dumps({"last": seen[-1][0], "lost": [lost for _, lost in seen if lost], "sizes": [sizes[1], sizes[-1]]}))


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
