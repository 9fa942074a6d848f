"""Processor time and memory of processes, from Linux' /proc: figures that other work on the machine disturbs little."""

import os
from pathlib import Path

PROC = Path("/proc")
TICKS = os.sysconf("SC_CLK_TCK")


def cpu_seconds(*pids: int) -> float:
    """Seconds of processor time that these processes and their children have taken; 0 where there is no /proc."""
    wanted = set(pids)
    return sum(taken for pid, parent, taken in _all() if pid in wanted or parent in wanted)


def memory_bytes(*pids: int) -> int:
    """Memory of these processes and their children, what they share divided between those who do (PSS)."""
    wanted = set(pids)
    return sum(_pss(pid) for pid, parent, _ in _all() if pid in wanted or parent in wanted)


def _pss(pid: int) -> int:
    text = (PROC / str(pid) / "smaps_rollup").read_text(encoding="ascii")
    return next(1024 * int(line.split()[1]) for line in text.splitlines() if line.startswith("Pss:"))


def _all() -> list[tuple[int, int, float]]:
    found = []
    for folder in PROC.glob("[0-9]*"):
        try:
            stat = (folder / "stat").read_text(encoding="utf-8", errors="replace")
        except OSError:
            continue  # it ended meanwhile
        fields = stat.rpartition(")")[2].split()  # the name before it may hold anything
        found.append((int(folder.name), int(fields[1]), (int(fields[11]) + int(fields[12])) / TICKS))
    return found
