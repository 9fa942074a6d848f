"""What strangers do to take the server from others, against the running system: memory stays, votes and log-ins go on.

The figures themselves are measured by `python -m bench.strangers`; here a machine may be as busy as it likes.
"""

import contextlib
import threading
from collections.abc import Callable, Iterator

import psutil
import pytest

from tests import hostile_clients as strangers
from tests.module_wide import database_url, environment, redis_url, stack
from tests.stack import Stack
from vote.db.users import Account
from vote.domain.competition import Competition

__all__ = ["database_url", "environment", "redis_url", "stack"]  # one system for the whole file

GROWTH_MAX = 64 * strangers.MIB
VOTE_WITHIN_S = 10  # each, on any machine: before, they waited for as long as the stranger liked
PASSWORD = "Pass-of-a-test-7193"


class Others(threading.Thread):
    """Everybody else: votes from now on, and looks at the memory of the web's processes, until `end`."""

    def __init__(self, stack: Stack, competition: int, tokens: list[str]) -> None:
        super().__init__()
        self._stack, self._competition, self._tokens = stack, competition, tokens
        self._is_over = threading.Event()
        self._processes = psutil.Process(stack.web_pid).children()
        self._start = self._memory()
        self.grown, self.votes = 0, list[strangers.Told]()
        self.start()

    def run(self) -> None:
        for token in self._tokens:
            headers = {"Authorization": f"Bearer {token}", "Content-Type": strangers.FORM}
            path = f"/vote/{self._competition}"
            with contextlib.suppress(OSError):
                told = strangers.ask(self._stack.port, "POST", path, "vote=a", headers, source=strangers.SOMEBODY_ELSE)
                self.votes.append(told)
            self._look()
            if self._is_over.wait(0.05):
                return

    def end(self) -> None:
        """Wait for the last vote, then hold what was seen against what is promised."""
        self._is_over.set()
        self.join()
        self._look()
        assert {vote.status for vote in self.votes} == {202}
        assert max(vote.seconds for vote in self.votes) < VOTE_WITHIN_S
        assert self.grown < GROWTH_MAX

    def _look(self) -> None:
        self.grown = max([self.grown, *(now - start for now, start in zip(self._memory(), self._start, strict=True))])

    def _memory(self) -> list[int]:
        return [process.memory_info().rss for process in self._processes]


@pytest.fixture
def others(
    stack: Stack,
    make_competition: Callable[..., Competition],
    make_user: Callable[..., Account],
    token_of: Callable[[Account], str],
) -> Iterator[Others]:
    """People who vote during a test; afterwards none of them has waited."""
    for _ in range(20):  # what a process needs once is not what strangers cost
        strangers.get(stack.port, "/api/openapi.json")
        strangers.get(stack.port, "/how-it-counts")
    watching = Others(stack, make_competition().id, [token_of(make_user()) for _ in range(300)])
    yield watching
    watching.end()


def test_trailers_without_an_end_are_refused(stack: Stack, others: Others) -> None:
    assert strangers.trailers(stack.port).startswith(b"HTTP/1.1 431 ")


def test_requests_sent_ahead_wait_outside(stack: Stack, others: Others) -> None:
    assert strangers.sent_ahead(stack.port, seconds=5) > 0


def test_who_does_not_read_keeps_no_page_from_others(stack: Stack, others: Others) -> None:
    with strangers.unread(stack.port):
        assert [strangers.get(stack.port, "/login").status for _ in range(10)] == [200] * 10


def test_forms_of_many_fields_keep_nobody_from_logging_in(
    stack: Stack, others: Others, make_user: Callable[..., Account]
) -> None:
    ada = make_user(password=PASSWORD)
    with strangers.many_fields(stack.port):
        assert strangers.log_in(stack.port, ada.username, PASSWORD).status == 200


def test_one_account_that_logs_in_without_end_keeps_nobody_from_logging_in(
    stack: Stack, make_user: Callable[..., Account]
) -> None:
    ada, eve = make_user(password=PASSWORD), make_user(password=PASSWORD)
    with strangers.own_logins(stack.port, eve.username, PASSWORD):
        assert strangers.log_in(stack.port, ada.username, PASSWORD).status == 200
