"""How many sockets of one process one account, or one network of people who are not logged in, may hold open.

Whoever has many would take the places of others. A hall of watchers shares an address, so a network may have half of all.
"""

from collections import Counter

from vote.config import Settings
from vote.errors import TooManyRequests
from vote.server.client_address import client_of, network_of
from vote.server.raw_response import Scope

COME_BACK_S = 10.0
ENOUGH = "You watch in too many places at once. Close some; the results page shows the numbers too."


class SocketQuota:
    """The open sockets of one process by who has them."""

    def __init__(self, settings: Settings) -> None:
        self._per_account = settings.limit_sockets_per_account
        self._per_network = settings.limit_sockets_per_network
        self._taken: Counter[str] = Counter()

    def acquire(self, account: int | None, scope: Scope) -> str:
        """One more; returns whose place it is, to be given back. Raises TooManyRequests."""
        whose = network_of(client_of(scope, ())) if account is None else f"user:{account}"
        if self._taken[whose] >= (self._per_network if account is None else self._per_account):
            raise TooManyRequests(COME_BACK_S, ENOUGH)
        self._taken[whose] += 1
        return whose

    def release(self, whose: str) -> None:
        """One less."""
        self._taken[whose] -= 1
        if not self._taken[whose]:
            del self._taken[whose]
