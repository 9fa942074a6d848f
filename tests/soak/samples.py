"""Looks at every process of one `vote up`, and at its stores, again and again."""

import contextlib
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator

import psutil
import psycopg
import redis

from vote.ballotlog import keys

MIB = 1024 * 1024
PARTS: dict[str, Callable[[str], bool]] = {
    "web master": lambda line: "vote.asgi:app" in line,
    "worker": lambda line: line.endswith("vote worker"),
    "backups": lambda line: line.endswith("vote backup keep"),
    "PostgreSQL": lambda line: "postgres -D" in line,
    "Valkey": lambda line: "valkey-server" in line or "redis-server" in line,
}


class Sampler:
    """One thread that looks every `every_s` seconds. `series` has, for (kind, what), the values and when they were seen;
    `restarted` the parts that are not the process they were.
    """

    def __init__(
        self, parent: int, metrics: Callable[[], bytes], *, database: str, log: str, shards: int, every_s: float
    ) -> None:
        self._up, self._metrics, self._every_s = psutil.Process(parent), metrics, every_s
        self._database = psycopg.connect(database, autocommit=True)
        self._log, self._shards = redis.Redis.from_url(log), shards
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, name="samples")
        self._pids: dict[str, int] = {}
        self._began = time.monotonic()
        self.series: dict[tuple[str, str], list[tuple[float, float]]] = defaultdict(list)
        self.restarted: set[str] = set()

    def start(self) -> None:
        """Begin; the clock of the samples starts here."""
        self._began = time.monotonic()
        self._thread.start()

    def finish(self) -> None:
        """Look no more."""
        self._over.set()
        self._thread.join()
        self._database.close()
        self._log.close()

    def _run(self) -> None:
        while not self._over.wait(self._every_s):
            at = time.monotonic() - self._began
            for kind, what, value in (*self._of_processes(), *self._of_stores()):
                self.series[kind, what].append((at, value))

    def _of_processes(self) -> Iterator[tuple[str, str, float]]:
        for name, process in self._parts():
            if self._pids.setdefault(name, process.pid) != process.pid:
                self.restarted.add(name)
            if name == "PostgreSQL":  # its processes come and go with connections: together they are one part
                every = [process, *process.children(recursive=True)]
                yield "server memory", f"memory of {name}", sum(map(_own_memory, every)) / MIB
                yield "server descriptors", f"descriptors of {name}", sum(map(_descriptors, every))
            else:
                # The pages of Valkey are shared with its copy while it rewrites its file, and still its own.
                memory = process.memory_info().rss if name == "Valkey" else _own_memory(process)
                yield "server memory" if name == "Valkey" else "memory", f"memory of {name}", memory / MIB
                yield "descriptors", f"descriptors of {name}", _descriptors(process)

    def _parts(self) -> Iterator[tuple[str, psutil.Process]]:
        yield "supervisor", self._up
        for child in self._up.children():
            line = " ".join(child.cmdline())
            for name, is_it in PARTS.items():
                if is_it(line):
                    yield name, child
                    if name == "web master":
                        processes = sorted(child.children(), key=lambda process: process.pid)
                        yield from ((f"web {n}", process) for n, process in enumerate(processes, 1))

    def _of_stores(self) -> Iterator[tuple[str, str, float]]:
        row = self._database.execute(
            "SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend'"
        ).fetchone()
        assert row is not None
        yield "connections", "connections of PostgreSQL", row[0]
        yield "connections", "connections of Valkey", self._log.info("clients")["connected_clients"]
        yield "keys", "keys of Valkey", self._log.dbsize()
        yield "entries", "entries of the log", sum(self._log.xlen(keys.log(shard)) for shard in range(self._shards))
        lines = self._metrics().decode().splitlines()
        watchers = sum(float(line.rpartition(" ")[2]) for line in lines if line.startswith("vote_watchers"))
        yield "watchers", "watchers, as the web counts them", watchers


def _own_memory(process: psutil.Process) -> float:
    """Bytes that would be free if this process were not there: what others share with it is no leak of its."""
    with contextlib.suppress(psutil.NoSuchProcess):
        return float(process.memory_full_info().uss)
    return 0.0


def _descriptors(process: psutil.Process) -> int:
    with contextlib.suppress(psutil.NoSuchProcess):
        return int(process.num_fds())
    return 0
