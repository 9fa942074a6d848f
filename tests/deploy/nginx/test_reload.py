"""Reloads while people vote: nobody who connects notices, and no open socket ends."""

import os
import signal
from collections.abc import Callable

import pytest

from tests.deploy.nginx.authority import WebAuthority
from tests.deploy.nginx.clients import Client, open_socket
from tests.deploy.nginx.front import Front, front_of
from tests.deploy.nginx.load import Counts, Load
from tests.deploy.nginx.site import Fault
from tests.stack import wait_until

RELOADS = 5
BETWEEN = 200  # answers between two reloads

Record = Callable[[str, object], None]


def _ballot(client: Client) -> bytes:
    return client.request("POST", "/vote/1", {"Content-Type": "application/json"}, b'{"vote":"a"}')


def reloads_under_load(front: Front) -> Counts:
    """Reload again and again while ballots come on kept and on new connections."""
    with (
        open_socket(front.client) as socket,
        Load(front.client, _ballot, lambda given: given.status == 200).running() as load,
    ):
        for _ in range(RELOADS):
            before = load.counts.answered
            wait_until(lambda before=before: load.counts.answered - before >= BETWEEN or load.counts.failed)
            front.site.reload()
            assert socket.is_alive(b"still here"), "an open socket ended"
        before = load.counts.answered
        wait_until(lambda: load.counts.answered - before >= BETWEEN or load.counts.failed)
    counts = load.counts
    assert counts.failed == []
    return counts


def test_reloads_under_load(front: Front, record_property: Callable[[str, object], None]) -> None:
    counts = reloads_under_load(front)

    record_property("reloads", RELOADS)
    record_property("requests", counts.answered)
    record_property("failed", len(counts.failed))
    record_property("sent_again", counts.sent_again)
    assert counts.answered > RELOADS * BETWEEN
    assert counts.sent_again <= RELOADS * 8, "more than the connections that were open"


def test_an_open_socket_outlives_the_file_it_came_by(front: Front) -> None:
    """Its web is taken out: the socket stays where it is until that web ends."""
    front.site.web_file(2).write_text(f"server {front.webs[1].address} down;\n", "utf-8")
    front.site.reload()
    with open_socket(front.client) as socket:
        front.site.web_file(1).write_text(f"server {front.webs[0].address} down;\n", "utf-8")
        front.site.web_file(2).write_text(f"server {front.webs[1].address};\n", "utf-8")
        front.site.reload()

        assert {front.client.post("/vote/1").status for _ in range(4)} == {200}
        assert len(front.webs[1].paths("/vote/")) == 4
        assert socket.is_alive(b"still here")


def test_a_planted_fault_is_found(authority: WebAuthority) -> None:
    """Old workers that do not wait for what is open."""
    fault = Fault("nginx.conf", "worker_shutdown_timeout 1h", "worker_shutdown_timeout 1ms")
    with front_of(authority, fault) as front, pytest.raises(AssertionError):
        reloads_under_load(front)


def test_a_restart_in_place_of_a_reload_is_found(front: Front, monkeypatch: pytest.MonkeyPatch) -> None:
    """The check sees what a reload must never be: all workers gone at once."""

    def restart() -> None:
        for worker in front.site.workers():
            os.kill(worker.pid, signal.SIGKILL)  # the master starts others

    monkeypatch.setattr(front.site, "reload", restart)
    with pytest.raises(AssertionError):
        reloads_under_load(front)
