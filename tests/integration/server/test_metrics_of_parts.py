"""A worker's /metrics is given to those alone who get the web's, and others hear the same."""

import json
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from ipaddress import ip_network

import pytest

from tests.integration.asgi import Request, ask
from tests.stack import free_port
from vote import config
from vote.health_server import HealthServer

PAGE = b"vote_anything 1\n"


def fetch(port: int, headers: dict[str, str]) -> tuple[int, str | None, bytes]:
    request = urllib.request.Request(f"http://127.0.0.1:{port}/metrics", headers=headers)
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            return answer.status, answer.headers["Content-Type"], answer.read()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.headers["Content-Type"], error.read()


@pytest.fixture
def serving() -> Iterator[Callable[..., int]]:
    """Serves metrics to these networks, at the port returned."""
    servers = []

    def serve(*networks: str) -> int:
        port = free_port()
        allowed = tuple(ip_network(network) for network in networks)
        servers.append(HealthServer("127.0.0.1", port, metrics=lambda: PAGE, networks=allowed))
        return port

    yield serve
    for server in servers:
        server.close()


@pytest.mark.parametrize("headers", [{}, {"X-Forwarded-For": "10.1.2.3"}, {"Forwarded": "for=127.0.0.1"}])
def test_a_workers_metrics_are_not_given_to_strangers(
    environment: dict[str, str], serving: Callable[..., int], headers: dict[str, str]
) -> None:
    settings = config.load({**environment, "METRICS_NETWORKS": "10.0.0.0/8"})

    (webs,) = ask(settings, [Request("GET", "/metrics", headers)])
    status, media_type, body = fetch(serving("10.0.0.0/8"), headers)

    assert (status, media_type) == (webs.status, webs.headers["content-type"]) == (403, "application/problem+json")
    ours, theirs = json.loads(body), json.loads(webs.body)
    assert len(ours.pop("request_id")) == len(theirs.pop("request_id"))
    assert ours == theirs
    assert PAGE not in body


def test_nor_to_whoever_comes_by_a_proxy_that_nobody_knows(serving: Callable[..., int]) -> None:
    assert fetch(serving("127.0.0.0/8"), {"X-Forwarded-For": "127.0.0.1"})[0] == 403


def test_prometheus_gets_them(environment: dict[str, str], serving: Callable[..., int]) -> None:
    (webs,) = ask(config.load(environment), [Request("GET", "/metrics")])

    assert fetch(serving("127.0.0.0/8"), {}) == (webs.status, webs.headers["content-type"], PAGE)
