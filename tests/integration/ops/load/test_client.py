"""The load tester and small services on loopback that behave badly in one way each."""

import asyncio
import contextlib
import socketserver
import ssl
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.certificates import Authority, Certificate
from vote.errors import Unavailable
from vote.ops.load import run, target
from vote.ops.load.client import Client, HttpAnswer
from vote.ops.load.measurements import Measured
from vote.ops.load.plan import Plan
from vote.ops.load.run import send_votes
from vote.ops.load.target import Api, Target, http_request, vote_request

PLAN = Plan(votes=40, rate=400, users=40, connections=4)
OK = b"HTTP/1.1 202 Accepted\r\nContent-Length: 2\r\n\r\n{}"
LAST = b"HTTP/1.1 202 Accepted\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n"


@contextlib.contextmanager
def service(*answers: bytes, certificate: Certificate | None = None) -> Iterator[tuple[Target, list[bytes]]]:
    """Gives these answers on every connection, one to a request, then hangs up on the next one; b"" is silence."""
    taken: list[bytes] = []

    class Handler(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            for answer in answers:
                if not self._take():
                    return
                self.request.sendall(answer)
                if answer == LAST:
                    return
            self._take()

        def _take(self) -> bool:
            with contextlib.suppress(OSError):
                if data := self.request.recv(65_536):
                    taken.append(data)
                return bool(data)
            return False

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler) as server:
        if certificate is not None:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(*certificate)
            server.socket = context.wrap_socket(server.socket, server_side=True)
        scheme = "http" if certificate is None else "https"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield target.parse(f"{scheme}://127.0.0.1:{server.server_address[1]}"), taken
        finally:
            server.shutdown()
            thread.join()


def vote_at(aim: Target) -> Measured:
    def request(vote: int) -> bytes:
        return vote_request(aim, 7, f"token-{vote}", "ab"[vote % 2])

    return send_votes(PLAN, aim, request, lambda _measured: None)


def test_each_vote_is_sent_once_with_its_own_token_and_choice() -> None:
    with service(*[OK] * PLAN.votes) as (aim, taken):
        measured = vote_at(aim)

    sent = b"".join(taken)
    assert (measured.by_status(), measured.sent_again) == ({202: 40}, 0)
    assert sent.count(b"POST /vote/7 HTTP/1.1\r\nHost: 127.0.0.1:") == 40
    assert all(sent.count(b"Authorization: Bearer token-%d\r\n" % user) == 1 for user in range(40))
    assert sent.count(b'name="vote"\r\n\r\na\r\n') == sent.count(b'name="vote"\r\n\r\nb\r\n') == 20


def test_a_connection_that_was_closed_while_idle_costs_no_vote() -> None:
    with service(OK) as (aim, _):
        measured = vote_at(aim)

    assert measured.by_status() == {202: 40}
    assert measured.sent_again > 0


def test_a_service_that_ends_every_connection_is_no_failure() -> None:
    with service(LAST) as (aim, _):
        measured = vote_at(aim)

    assert measured.by_status() == {202: 40}


def test_a_service_that_hangs_up_leaves_its_votes_without_answer() -> None:
    with service() as (aim, _):
        measured = vote_at(aim)

    assert (measured.by_status(), measured.sent_again) == ({0: 40}, 0)


def test_silence_is_waited_for_and_then_counts_as_the_time_it_took(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run, "LAST_ANSWERS_S", 0.2)

    with service(b"") as (aim, _):
        measured = vote_at(aim)

    assert measured.by_status() == {0: 40}
    assert measured.latency.count == 40
    assert measured.latency.percentile_ms(0.01) >= 200


def test_what_is_no_http_is_no_answer() -> None:
    with service(b"SSH-2.0-OpenSSH\r\n") as (aim, _):
        assert vote_at(aim).by_status() == {0: 40}


def test_nobody_there_is_said_before_anything_is_sent() -> None:
    with service() as (aim, _):
        pass

    with pytest.raises(Unavailable, match="accepted 0 of 4 connections"):
        vote_at(aim)


def test_over_tls_the_certificate_is_checked_before_a_token_is_sent(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ours = Authority(tmp_path, "ours")

    with service(*[OK] * PLAN.votes, certificate=ours.issue("server", "127.0.0.1")) as (aim, taken):
        with pytest.raises(Unavailable, match="CERTIFICATE_VERIFY_FAILED"):
            vote_at(aim)
        assert b"".join(taken) == b""
        monkeypatch.setenv("SSL_CERT_FILE", str(ours.ca))
        assert vote_at(aim).by_status() == {202: 40}


def answers_to(aim: Target, requests: int, *, within_s: float | None = None) -> list[HttpAnswer]:
    """One request after the other, without connections opened beforehand."""

    async def ask_all() -> list[HttpAnswer]:
        async with Client(aim, 4, answer_within_s=within_s) as client:
            return [await client.ask(http_request(aim, "GET", f"/{number}")) for number in range(requests)]

    return asyncio.run(ask_all())


def test_connections_are_opened_as_requests_need_them() -> None:
    with service(OK) as (aim, taken):
        answers = answers_to(aim, 3)

    assert [(answer.status, answer.body) for answer in answers] == [(202, b"{}")] * 3
    assert len(taken) == 5, "each connection answers once: the second and third request are sent again, on a new one"


def test_where_no_connection_can_be_opened_there_is_no_answer() -> None:
    with service() as (aim, _):
        pass

    assert [answer.status for answer in answers_to(aim, 2)] == [0, 0]


def test_a_request_that_takes_too_long_is_given_up_and_not_sent_again() -> None:
    with service(OK, b"") as (aim, taken):
        answers = answers_to(aim, 3, within_s=0.2)

    assert [answer.status for answer in answers] == [202, 0, 202]
    assert len(taken) == 3


def refused(status: int, retry_after: str) -> bytes:
    return f"HTTP/1.1 {status} Wait\r\nRetry-After: {retry_after}\r\nContent-Length: 0\r\n\r\n".encode()


@pytest.mark.parametrize("retry_after", ["0", "0.01", "-1", "", "Tue, 24 Nov 2026 20:00:00 GMT"])
def test_the_calls_around_a_load_wait_when_they_are_told_to(retry_after: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(target, "PAUSE_S", 0.01)
    many = [refused(429, retry_after)] * (target.TRIES + 2)

    with service(*many, refused(503, retry_after), OK) as (aim, taken), contextlib.closing(Api(aim)) as api:
        assert api.ask("GET", "/ready").status == 202

    assert len(taken) == len(many) + 2


def test_a_service_that_stays_away_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(target, "PAUSE_S", 0.01)

    with (
        service(*[refused(503, "0")] * 50) as (aim, taken),
        contextlib.closing(Api(aim)) as api,
        pytest.raises(Unavailable, match="/ready does not answer"),
    ):
        api.ask("GET", "/ready")

    assert len(taken) == target.TRIES
