"""A blocking client for the calls around a load: readiness, competitions, accounts, results. Votes go through `lanes`."""

import contextlib
import http.client
import json
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple, TypeVar

from vote.errors import Unavailable
from vote.ops.load.target import Target

T = TypeVar("T")
R = TypeVar("R")

ANSWER_WITHIN_S = 30.0
TRIES = 10  # after 503, or no answer
PAUSE_S = 1.0  # between two tries, without Retry-After
PAUSE_MAX_S = 60.0  # between two tries, whatever Retry-After says
AT_ONCE = 8  # concurrent calls when there is one for each user


class Reply(NamedTuple):
    """An answer; `json` is None when its body is not JSON."""

    status: int
    json: Any
    text: str

    @property
    def detail(self) -> str:
        """Return the status, and the reason that the service gave."""
        detail = self.json.get("detail") if isinstance(self.json, dict) else None
        return f"{self.status}: {detail}" if detail else str(self.status)


class Api:
    """A client that waits and retries on 429 and 503, as its calls are not measured."""

    def __init__(self, target: Target, token: str | None = None) -> None:
        kind = http.client.HTTPConnection if target.scheme == "http" else http.client.HTTPSConnection
        self._connection = kind(target.host, target.port, timeout=ANSWER_WITHIN_S)
        self._target = target
        self._headers = {"Accept": "application/json"} | ({"Authorization": f"Bearer {token}"} if token else {})

    def ask(self, method: str, path: str, body: object = None, **headers: str) -> Reply:
        """Make one call. Retries 429 until it is accepted, 503 and network errors TRIES times; then raises Unavailable."""
        data = None if body is None else json.dumps(body).encode()
        sent = self._headers | headers | ({"Content-Type": "application/json"} if data is not None else {})
        left, why = TRIES, ""
        while left:
            try:
                reply, pause = self._exchange(method, path, data, sent)
            except (OSError, http.client.HTTPException) as error:
                self._connection.close()
                reply, pause, why = Reply(0, None, ""), PAUSE_S, str(error)
            if reply.status not in (0, 429, 503):
                return reply
            left -= reply.status != 429
            time.sleep(min(pause, PAUSE_MAX_S))
        raise Unavailable(f"{self._target.url}{path} does not answer. {why}")

    def _exchange(self, method: str, path: str, data: bytes | None, headers: dict[str, str]) -> tuple[Reply, float]:
        self._connection.request(method, path, data, headers)
        answer = self._connection.getresponse()
        text = answer.read().decode("utf-8", "replace")
        content: Any = None
        with contextlib.suppress(ValueError):
            content = json.loads(text)
        return Reply(answer.status, content, text), _seconds(answer.getheader("Retry-After"))

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()


def _seconds(retry_after: str | None) -> float:
    """Return Retry-After in seconds. Dates (RFC 9110 §10.2.3), which only proxies send, and nonsense count as PAUSE_S."""
    try:
        return max(0.0, float(retry_after or PAUSE_S))
    except ValueError:
        return PAUSE_S


def for_each(do: Callable[[T], R], items: Iterable[T], done: Callable[[int], None]) -> list[R]:
    """Call `do` for each item, AT_ONCE at a time, and return the results in order. Calls `done(1)` after each."""
    with ThreadPoolExecutor(AT_ONCE) as pool:
        results = []
        for result in pool.map(do, items):
            results.append(result)
            done(1)
        return results
