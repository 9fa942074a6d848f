"""Limits how many sockets an account, or a network of people who are not logged in, may hold open in one process.

A client with many sockets would take the places of others. A hall of watchers shares an address, so a network may have
half of all.
"""

from collections import Counter

from vote.config import Settings
from vote.errors import TooManyRequests
from vote.server.client_address import client_of, network_of
from vote.server.raw_response import Scope

COME_BACK_S = 10.0
ENOUGH = "You are watching in too many places at once. Close some; the results page shows the numbers too."


class SocketQuota:
    """Concurrency limit: the open sockets of one process, counted per account or network."""

    def __init__(self, settings: Settings) -> None:
        self._per_account = settings.limit_sockets_per_account
        self._per_network = settings.limit_sockets_per_network
        self._taken: Counter[str] = Counter()

    def acquire(self, account: int | None, scope: Scope) -> str:
        """Count one more socket. Returns the key to release it under. Raises TooManyRequests."""
        key = network_of(client_of(scope)) if account is None else f"user:{account}"
        if self._taken[key] >= (self._per_network if account is None else self._per_account):
            raise TooManyRequests(COME_BACK_S, ENOUGH)
        self._taken[key] += 1
        return key

    def release(self, key: str) -> None:
        """Count one socket less."""
        self._taken[key] -= 1
        if not self._taken[key]:
            del self._taken[key]
