"""Kills and freezes parts of one `vote up`, at random but by a seed. Only its own children are ever touched."""

import contextlib
import random
import signal
import threading
import time
from collections import Counter
from collections.abc import Callable

import psutil

FREEZE_S = (0.2, 3.5)  # some longer than a worker may hold its locks
PAUSE_S = (0.05, 0.6)
FROZEN_SHARE = 0.3

PARTS: dict[str, Callable[[str], bool]] = {
    "web process": lambda line: "vote.asgi:app" in line,
    "worker": lambda line: "vote worker" in line,
    "ballot log": lambda line: "valkey-server" in line or "redis-server" in line,
    "database": lambda line: "postgres" in line and ("-D" in line or "postgres:" in line),
}


class Chaos:
    """One thread that hurts. `kills` counts what was done, by part and signal."""

    def __init__(self, parent: int, dice: random.Random, *, kills: int, over_s: float) -> None:
        self._parent = psutil.Process(parent)
        self._dice = dice
        self._wanted = kills
        self._pause_s = over_s / max(kills, 1)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="chaos")
        self._thaws: list[threading.Timer] = []
        self.kills: Counter[str] = Counter()

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def finish(self) -> None:
        """Wait until all wanted kills are done; wake whatever is frozen."""
        self._thread.join()
        for thaw in self._thaws:
            thaw.join()
        for process in self._children():
            with contextlib.suppress(psutil.Error):
                process.resume()

    def _run(self) -> None:
        while sum(self.kills.values()) < self._wanted:
            self._stop.wait(self._pause_s * self._dice.uniform(0.3, 1.7))
            part = self._dice.choice(list(PARTS))
            victims = [process for process in self._children() if _is(process, part)]
            if not victims:
                continue  # it is being started again
            victim = self._dice.choice(victims)
            with contextlib.suppress(psutil.Error):
                if self._dice.random() < FROZEN_SHARE:
                    self._freeze(victim)
                    self.kills[f"{part} SIGSTOP"] += 1
                else:
                    victim.send_signal(signal.SIGKILL)
                    self.kills[f"{part} SIGKILL"] += 1

    def _freeze(self, victim: psutil.Process) -> None:
        victim.suspend()
        thaw = threading.Timer(self._dice.uniform(*FREEZE_S), _resume, [victim])
        thaw.start()
        self._thaws.append(thaw)

    def _children(self) -> list[psutil.Process]:
        with contextlib.suppress(psutil.Error):
            return self._parent.children(recursive=True)
        return []


def children_of(parent: int, part: str) -> list[psutil.Process]:
    """The processes below `parent` that are this part now."""
    return [process for process in psutil.Process(parent).children(recursive=True) if _is(process, part)]


def _is(process: psutil.Process, part: str) -> bool:
    with contextlib.suppress(psutil.Error):
        return PARTS[part](" ".join(process.cmdline()))
    return False


def _resume(process: psutil.Process) -> None:
    with contextlib.suppress(psutil.Error):
        process.resume()


def heal_by(deadline: float, is_well: Callable[[], bool]) -> float:
    """Seconds until the system was well again. Raises TimeoutError at the deadline (of time.monotonic())."""
    began = time.monotonic()
    while not is_well():
        if time.monotonic() > deadline:
            raise TimeoutError("the system did not heal")
        time.sleep(0.1)
    return time.monotonic() - began
