"""What the figures were measured on."""

import importlib.metadata
import os
import platform
import re
import time
from datetime import UTC, datetime
from pathlib import Path

import psycopg
import redis

from bench.figures import percentile
from bench.ground import Ground

PACKAGES = ("gunicorn", "uvicorn", "uvicorn-worker", "uvloop", "httptools", "redis", "hiredis", "psycopg", "structlog")
FSYNCS = 200


def describe(ground: Ground) -> dict[str, object]:
    """Cores, memory, kernel, versions, what an fsync takes, and how busy the machine was with other work."""
    with psycopg.connect(ground.pair.superuser_url) as connection:
        postgres = connection.info.parameter_status("server_version")
    with redis.Redis.from_url(ground.pair.redis_url) as client:
        server = client.info("server")
    return {
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "cores": len(os.sched_getaffinity(0)),
        "cpu": _found(Path("/proc/cpuinfo"), r"model name\s*:\s*(.+)") or platform.machine(),
        "memory_gib": round(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 2**30, 1),
        "kernel": f"{platform.system()} {platform.release()}",
        "load_average_at_start": round(os.getloadavg()[0], 2),
        "fdatasync_ms": round(_fdatasync_ms(ground.pair.room.data / "fdatasync"), 3),
        "python": platform.python_version(),
        "postgresql": postgres,
        "valkey": server.get("valkey_version") or server["redis_version"],
        **{name: importlib.metadata.version(name) for name in PACKAGES},
    }


def _found(file: Path, pattern: str) -> str | None:
    found = re.search(pattern, file.read_text(encoding="utf-8")) if file.exists() else None
    return found[1].strip() if found else None


def _fdatasync_ms(path: Path) -> float:
    """The median time to append 4 KiB and have them on disk, where the servers' data lies."""
    times = []
    with path.open("wb", buffering=0) as file:
        for _ in range(FSYNCS):
            began = time.perf_counter()
            file.write(bytes(4096))
            os.fdatasync(file.fileno())
            times.append(1000 * (time.perf_counter() - began))
    path.unlink()
    return percentile(times, 0.5)
