"""Keeps the data of the servers that tests start in memory, where there is room: a busy disk then makes no test wait.

To kill and restart a server loses nothing there. That it has data on disk before it says so is traced at its system calls
(`tests/system/test_disk_truth.py`); `make storm`, `make drill` and `make soak` work on the disk.
"""

import os
import shutil
from pathlib import Path

import psutil

from vote.ops.embedded import home

MEMORY = Path("/dev/shm")
NEEDED_BYTES = 4 * 1024**3  # free: a pair takes up to 1 GiB, most of it PostgreSQL's WAL
PREFIX = "vote-tests-"


def begin() -> None:
    """Have servers of this process keep their data in memory. Only for root: of others it lies beside the test's files."""
    if os.geteuid() == 0 and MEMORY.is_dir():
        _remove_left_behind()
        if shutil.disk_usage(MEMORY).free >= NEEDED_BYTES:
            home.DATA_OF_ROOT = MEMORY / f"{PREFIX}{os.getpid()}"


def end() -> None:
    """Remove what is left of it."""
    if home.DATA_OF_ROOT.parent == MEMORY:
        shutil.rmtree(home.DATA_OF_ROOT, ignore_errors=True)


def _remove_left_behind() -> None:
    """What processes left that were killed."""
    for folder in MEMORY.glob(f"{PREFIX}*"):
        if not psutil.pid_exists(int(folder.name.removeprefix(PREFIX))):
            shutil.rmtree(folder, ignore_errors=True)
