"""What reaches a web: each check raises AssertionError where the configuration lets through what it must not."""

import re
import ssl
import time
from collections.abc import Iterable

import pytest

from tests.deploy.nginx.clients import ENDS, read_to_end
from tests.deploy.nginx.front import Front
from tests.stack import wait_until
from vote.input_limits import BODY_MAX_BYTES, VOTE_MAX_BYTES

FORGED = {
    "X-Forwarded-For": "6.6.6.6, 7.7.7.7",
    "X-Forwarded-Proto": "http",
    "X-Forwarded-Host": "evil.example",
    "X-Forwarded-Port": "81",
    "X-Real-IP": "6.6.6.6",
    "Forwarded": "for=6.6.6.6",
    "Proxy": "http://evil.example",
    "X-Request-Id": "mine",
    "X_Forwarded_For": "6.6.6.6",
    "X_Request_Id": "mine",
}
PASSED_ON = {"x-forwarded-for", "x-forwarded-proto", "x-request-id"}
INSIDE = ("/metrics", "/ready", "/outbox", "/outbox/1", "/outbox?x=1", "/metrics?x=1", "/ready?", "/ready#x")
DISGUISED = (
    "/%6detrics",
    "/%72eady",
    "/%6Futbox",
    "//ready",
    "/./ready",
    "/x/../metrics",
    "/x/%2e%2e/metrics",
    "///outbox",
)
LIMITED = ("/login", "/register", "/forgot")


def forwarding_headers_are_ours(front: Front) -> None:
    """A web reads the address of the connection, once, and nothing of what a client wrote into such fields."""
    for path in ("/", "/vote/1", "/live/1", "/login", "/static/x.js"):
        front.forget()
        front.client.get(path, FORGED, source="127.0.0.9")

        (seen,) = front.seen
        assert seen.all("X-Forwarded-For") == ["127.0.0.9"], (path, seen.head)
        assert seen.all("X-Forwarded-Proto") == ["https"]
        assert seen.all("Host") == [front.client.name]
        sent = {name.lower() for name in FORGED}
        arrived = {line.partition(b":")[0].decode().lower() for line in seen.head.split(b"\r\n")[1:]}
        assert arrived & sent == PASSED_ON, (path, arrived & sent)


def the_request_id_is_ours(front: Front) -> None:
    """It is made here, passed on, logged, and in the answer unless the web answers with one."""
    given = front.client.get("/", {"X-Request-Id": "mine"})

    (seen,) = front.seen
    (passed,) = seen.all("X-Request-Id")
    assert re.fullmatch("[0-9a-f]{32}", passed)
    assert given.all("X-Request-Id") == [passed]
    wait_until(front.site.lines, what="a line of the request")
    assert front.site.lines()[-1]["request_id"] == passed


def other_names_are_refused(front: Front) -> None:
    """Nothing is answered under a name that is not ours: in the handshake, then by Host."""
    for name in ("other.example", None):
        with pytest.raises(ENDS):
            front.client.connect(server_name=name).close()
    for host in ("other.example", "localhost.other.example", f"{front.client.name}.evil"):
        assert front.client.get("/", {"Host": host}).status == 421
    assert front.seen == []


def what_is_inside_stays_inside(front: Front) -> None:
    """Metrics, readiness and mails of development are nobody's business, however they are spelt."""
    for path in INSIDE + DISGUISED:
        assert front.client.get(path).status == 404, path
    assert front.seen == []
    assert front.client.get("/health").status == 200


def bodies_are_limited(front: Front) -> None:
    """The web's own limits, before a byte of it is read: 16 KiB for a ballot, 64 KiB else. Nothing smaller is refused."""
    for path, most in (("/vote/1", VOTE_MAX_BYTES), ("/api/admin/competitions", BODY_MAX_BYTES)):
        front.forget()
        for body in (b"x" * (most + 1), b"x" * (10 * most)):
            refused = front.client.post(path, body)
            assert refused.status == 413, (path, len(body))
            assert refused.json["status"] == 413
        assert _chunked(front, path, b"x" * (most + 1)) == 413
        assert front.seen == []
        assert front.client.post(path, b"x" * most).status == 200, path
        assert _chunked(front, path, b"x" * most) == 200
        assert [len(seen.body) for seen in front.seen] == [most, most]


def _chunked(front: Front, path: str, body: bytes) -> int:
    fields = {"Transfer-Encoding": "chunked", "Connection": "close"}
    head = front.client.request("POST", path, fields).replace(b"Content-Length: 0\r\n", b"")
    with front.client.connect() as one:
        for part in (head, b"%x\r\n%b\r\n0\r\n\r\n" % (len(body), body)):
            try:
                one.sendall(part)
            except ENDS:
                break
        return int(read_to_end(one).split(b" ", 2)[1])


def only_logins_are_limited(front: Front) -> None:
    """100 at once and 20 a second for the three pages together; what is refused is told when to come back."""
    began = time.monotonic()
    given = [front.client.post(LIMITED[number % 3]) for number in range(240)]
    seconds = time.monotonic() - began

    served = sum(one.status == 200 for one in given)
    assert 101 <= served <= 102 + 20 * seconds, f"{served} served in {seconds:.2f} s"
    refused = [one for one in given if one.status == 429]
    assert served + len(refused) == len(given)
    assert all(one.all("Retry-After") == ["2"] and one.json["status"] == 429 for one in refused)
    assert len(front.seen) == served
    elsewhere = [front.client.get(LIMITED[0], source="127.0.0.9") for _ in range(80)]
    assert {one.status for one in elsewhere} == {200}, "another address has a limit of its own"


def votes_are_not_limited(front: Front) -> None:
    """A hall shares one address: nothing but logins counts by address."""
    for path in ("/vote/1", "/", "/api/competitions"):
        assert {answer.status for answer in _many(front, path)} == {200}, path


def _many(front: Front, path: str) -> Iterable:
    method = "POST" if path.startswith("/vote/") else "GET"
    return [front.client.ask(method, path) for _ in range(240)]


def a_client_without_tls_1_2_is_refused(front: Front) -> None:
    """TLS 1.0 and 1.1 are over (RFC 8996)."""
    context = ssl.create_default_context(cafile=str(front.client.ca))
    context.set_ciphers("ALL:@SECLEVEL=0")
    with pytest.warns(DeprecationWarning, match="TLSv1"):
        context.minimum_version, context.maximum_version = ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1
    with pytest.raises(ENDS), front.client.connect_tls(context, server_name=front.client.name) as one:
        one.sendall(front.client.request("GET", "/"))
