"""What is told of each request: one JSON line in the form of `logs.py`, and its metrics. Gathered, and written together once
per turn of the event loop.

structlog takes a third of a vote's time for a line, and metrics an eighth (measured by `make bench`); this takes a twentieth
of that. Each request has its line; what is waiting when a process is killed with -9 is lost, as with any log that is not
synced.
"""

import asyncio
import sys
from collections import Counter, defaultdict
from datetime import UTC, datetime
from functools import cache
from typing import Any, TextIO

import orjson
import prometheus_client

from vote.input_limits import LOGGED_PATH_MAX_CHARS
from vote.logs import render
from vote.metrics import REQUEST_SECONDS, REQUESTS, ManySeconds

ROUTES = frozenset(
    (
        "vote",
        "results",
        "live",
        "login",
        "logout",
        "register",
        "account",
        "admin",
        "api",
        "static",
        "health",
        "ready",
        "metrics",
    )
)
KNOWN_METHODS = frozenset(("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"))


class AccessLog:
    """Lines and figures of one process. Belongs to one event loop."""

    def __init__(self, stream: TextIO | None = None) -> None:
        self._stream = stream
        self._lines: list[dict[str, Any]] = []
        self._counts: Counter[tuple[str, str, int]] = Counter()
        self._seconds: defaultdict[str, list[float]] = defaultdict(list)

    def tell(
        self, *, request_id: str, method: str, path: str, status: int, seconds: float, more: dict[str, Any]
    ) -> None:
        """Tell of one request; `more` is what its endpoint adds to the line."""
        if method not in KNOWN_METHODS:
            method = "other"
        route = route_of(path)
        self._counts[route, method, status] += 1
        self._seconds[route].append(seconds)
        if not self._lines:
            asyncio.get_running_loop().call_soon(self.flush)
        ms = round(seconds * 1000, 2)
        line = {
            "request_id": request_id,
            "method": method,
            "path": path[:LOGGED_PATH_MAX_CHARS],
            "status": status,
            "ms": ms,
        }
        self._lines.append(line | more)

    def flush(self) -> None:
        """Write what is waiting. Lines of one turn carry the time of its end."""
        lines, self._lines = self._lines, []
        self._count()
        common = {"event": "request", "level": "info", "time": datetime.now(UTC).isoformat(), "part": "web"}
        stream = self._stream or sys.stdout
        stream.write("".join([_written(line | common) for line in lines]))
        stream.flush()

    def _count(self) -> None:
        for labels, count in self._counts.items():
            _counted(*labels).inc(count)
        for route, seconds in self._seconds.items():
            _timed(route).observe_all(seconds)
        self._counts.clear()
        self._seconds.clear()


def _written(line: dict[str, Any]) -> str:
    """As `logs.render` writes it; orjson takes a tenth of the time, and leaves what is no ASCII as it is."""
    try:
        text = orjson.dumps(line, option=orjson.OPT_APPEND_NEWLINE)
    except TypeError:  # what is no text: whatever it is, all other lines of this turn are written
        return f"{render(line)}\n"
    return text.decode("ascii") if text.isascii() and b"\x7f" not in text else f"{render(line)}\n"


def route_of(path: str) -> str:
    """The path as a metric's label: the first part when it is one of ours, so that strangers cannot invent labels."""
    first = path[1:].partition("/")[0]
    return f"/{first}" if first in ROUTES or not first else "other"


# `labels` looks a child up under a lock; there are few routes, methods and statuses, so the children are kept.
@cache
def _counted(route: str, method: str, status: int) -> prometheus_client.Counter:
    return REQUESTS.labels(route, method, str(status))


@cache
def _timed(route: str) -> ManySeconds:
    return REQUEST_SECONDS.labels(route)
