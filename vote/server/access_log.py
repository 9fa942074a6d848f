"""Writes the access log: one JSON line per request in the form of `logs.py`, and its metrics. Collects both and writes
them once per turn of the event loop.

structlog takes a third of a vote's time for a line, and metrics an eighth (measured by `make bench`); this takes a
twentieth of that. `kill -9` loses the collected lines, as with any log that is not synced.
"""

import asyncio
import select
import sys
from collections import Counter, defaultdict
from collections.abc import Iterator
from datetime import UTC, datetime
from functools import cache
from http import HTTPStatus
from typing import Any

import orjson
import prometheus_client

from vote.logs import render
from vote.metrics.registry import ManySeconds, start_at_zero
from vote.metrics.web import REQUEST_SECONDS, REQUESTS, SLOW_VOTES
from vote.server.logged_paths import logged_path

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
SLOW_VOTE_S = 0.5  # the objective: 99.9 % of votes are answered within it, and without a 5xx
# Series that are there before the first such answer: alerts look at failures, and at what happens to votes.
FIRST_STATUSES = (200, 500, 503)
FIRST_VOTE_STATUSES = (200, 202, 303, 401, 403, 404, 409, 413, 422, 429, 500, 503)
KNOWN_METHODS = frozenset(("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"))


class AccessLog:
    """One process's access log and request metrics. Belongs to one event loop."""

    def __init__(self) -> None:
        _start_at_zero()
        self._lines: list[dict[str, Any]] = []
        self._counts: Counter[tuple[str, str, int]] = Counter()
        self._seconds: defaultdict[str, list[float]] = defaultdict(list)
        self._slow_votes = 0

    def tell(
        self, *, request_id: str, method: str, path: str, status: int, seconds: float, more: dict[str, Any]
    ) -> None:
        """Add a request; `more` holds its endpoint's own fields."""
        if method not in KNOWN_METHODS:
            method = "other"
        route = route_of(path)
        self._counts[route, method, status] += 1
        self._seconds[route].append(seconds)
        if seconds > SLOW_VOTE_S and (route, method) == ("/vote", "POST") and status < HTTPStatus.INTERNAL_SERVER_ERROR:
            self._slow_votes += 1
        if not self._lines:
            asyncio.get_running_loop().call_soon(self.flush)
        ms = round(seconds * 1000, 2)
        line = {
            "request_id": request_id,
            "method": method,
            "path": logged_path(path),
            "status": status,
            "ms": ms,
        }
        self._lines.append(line | more)

    def flush(self) -> None:
        """Write all collected lines and metrics. The lines carry the time of writing."""
        lines, self._lines = self._lines, []
        self._count()
        common = {"event": "request", "level": "info", "time": datetime.now(UTC).isoformat(), "part": "web"}
        for text in _whole_lines([_written(line | common) for line in lines]):
            sys.stdout.write(text)
            sys.stdout.flush()

    def _count(self) -> None:
        for labels, count in self._counts.items():
            _counted(*labels).inc(count)
        for route, seconds in self._seconds.items():
            _timed(route).observe_all(seconds)
        if self._slow_votes:
            SLOW_VOTES.inc(self._slow_votes)
            self._slow_votes = 0
        self._counts.clear()
        self._seconds.clear()


def _whole_lines(lines: list[str]) -> Iterator[str]:
    """Yield the lines in pieces that are one write each, to a pipe too: more than PIPE_BUF bytes would mix with what other
    processes write to it (pipe(7)).
    """
    piece: list[str] = []
    size = 0
    for line in lines:
        if piece and size + len(line) > select.PIPE_BUF:
            yield "".join(piece)
            piece, size = [], 0
        piece.append(line)
        size += len(line)
    yield "".join(piece)


def _written(line: dict[str, Any]) -> str:
    """Render a line as `logs.render` does. orjson takes a tenth of its time but does not escape non-ASCII text."""
    try:
        text = orjson.dumps(line, option=orjson.OPT_APPEND_NEWLINE)
    except TypeError:  # a value that is not JSON must not lose the other lines of this turn
        return f"{render(line)}\n"
    return text.decode("ascii") if text.isascii() and b"\x7f" not in text else f"{render(line)}\n"


def route_of(path: str) -> str:
    """Return the metric label of a path: its first part if that is one of ours, so strangers cannot invent labels."""
    first = path[1:].partition("/")[0]
    return f"/{first}" if first in ROUTES or not first else "other"


def _start_at_zero() -> None:
    routes = ["/", "other", *(f"/{word}" for word in ROUTES)]
    start_at_zero(REQUEST_SECONDS, *routes)
    for status in FIRST_STATUSES:
        start_at_zero(REQUESTS, *((route, method, str(status)) for route in routes for method in ("GET", "POST")))
    start_at_zero(REQUESTS, *(("/vote", "POST", str(status)) for status in FIRST_VOTE_STATUSES))


# `labels` looks up a child under a lock. There are few routes, methods and statuses, so cache the children.
@cache
def _counted(route: str, method: str, status: int) -> prometheus_client.Counter:
    return REQUESTS.labels(route, method, str(status))


@cache
def _timed(route: str) -> ManySeconds:
    return REQUEST_SECONDS.labels(route)
