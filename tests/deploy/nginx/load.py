"""Clients that ask without a pause while nginx is reloaded, and count what happens to them."""

import contextlib
import http.client
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from typing import NamedTuple

from tests.deploy.nginx.clients import ENDS, Answer, Client, exchange

KEPT_CLIENTS, NEW_CLIENTS = 4, 2
BROKEN = (*ENDS, http.client.HTTPException)

Ask = Callable[[Client], bytes]


class Counts(NamedTuple):
    """Requests by how they went. `sent_again`: they met a kept connection that was just being closed."""

    answered: int
    sent_again: int
    failed: list[str]


class Load:
    """Some clients on connections that they keep, some on a new one for each request."""

    def __init__(self, client: Client, ask: Ask, is_right: Callable[[Answer], bool]) -> None:
        self._client, self._ask, self._is_right = client, ask, is_right
        self._is_over = threading.Event()
        self._lock, self._counts, self._failed = threading.Lock(), Counter[str](), list[str]()

    @property
    def counts(self) -> Counts:
        with self._lock:
            return Counts(self._counts["answered"], self._counts["sent again"], list(self._failed))

    @contextlib.contextmanager
    def running(self) -> Iterator["Load"]:
        """Ask until the end of the block."""
        work = [self._keep] * KEPT_CLIENTS + [self._renew] * NEW_CLIENTS
        threads = [threading.Thread(target=one, daemon=True) for one in work]
        for thread in threads:
            thread.start()
        try:
            yield self
        finally:
            self._is_over.set()
            for thread in threads:
                thread.join(60)

    def _renew(self) -> None:
        while not self._is_over.is_set():
            self._on_new_connection()

    def _keep(self) -> None:
        while not self._is_over.is_set():
            try:
                with self._client.connect() as one:
                    self._note(exchange(one, self._ask(self._client)))
                    while not self._is_over.is_set():
                        try:
                            given = exchange(one, self._ask(self._client))
                        except BROKEN:  # it was being closed: every client sends once more
                            self._count("sent again")
                            self._on_new_connection()
                            break
                        self._note(given)
                        if "close" in given.all("Connection"):
                            break
            except BROKEN as error:
                self._fail(f"new connection: {error!r}")

    def _on_new_connection(self) -> None:
        try:
            with self._client.connect() as one:
                self._note(exchange(one, self._ask(self._client)))
        except BROKEN as error:
            self._fail(f"new connection: {error!r}")

    def _note(self, given: Answer) -> None:
        if self._is_right(given):
            self._count("answered")
        else:
            self._fail(f"{given.status} {given.body[:200]!r}")

    def _count(self, what: str) -> None:
        with self._lock:
            self._counts[what] += 1

    def _fail(self, why: str) -> None:
        with self._lock:
            self._failed.append(why)
