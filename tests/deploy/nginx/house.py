"""Two real webs and a worker behind nginx, as they run on one host. A file imports the fixture `house`."""

import contextlib
import json
from collections.abc import Iterator
from typing import NamedTuple

import pytest
import websocket

from tests import log_schema
from tests.deploy.nginx.authority import WebAuthority
from tests.deploy.nginx.clients import Answer, Client
from tests.deploy.nginx.front import client_of
from tests.deploy.nginx.ports import own_port
from tests.deploy.nginx.site import NAME, Site, running
from tests.stack import Stack
from tests.stack import running as running_stack

ADMIN = "127.0.0.5"  # ADMIN_NETWORKS


class House(NamedTuple):
    """nginx, the webs behind it, and how to reach them."""

    site: Site
    webs: tuple[Stack, Stack]
    client: Client

    @property
    def url(self) -> str:
        return f"https://{NAME}:{self.client.port}"

    def vote(self, competition: int, token: str, choice: str = "a") -> Answer:
        return self.client.post(f"/vote/{competition}", json.dumps({"vote": choice}).encode(), bearer(token))

    def total(self, competition: int) -> int:
        total: int = self.client.get(f"/api/competitions/{competition}/results").json["total"]
        return total


def bearer(token: str) -> dict[str, str]:
    """The header that logs in."""
    return {"Authorization": f"Bearer {token}"}


@contextlib.contextmanager
def watching(house: House, competition: int) -> Iterator[websocket.WebSocket]:
    """A WebSocket of a page of ours."""
    url, trust = f"wss://{NAME}:{house.client.port}/live/{competition}", {"ca_certs": str(house.client.ca)}
    opened = websocket.create_connection(url, timeout=30, origin=house.url, sslopt=trust, http_no_proxy=["*"])
    try:
        yield opened
    finally:
        opened.shutdown()


@pytest.fixture(scope="module")
def house(
    environment: dict[str, str], authority: WebAuthority, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[House]:
    """A worker and two webs, as they run on one host."""
    port, folder = own_port(), tmp_path_factory.mktemp("webs")
    told = environment | {
        "TRUSTED_PROXIES": "127.0.0.1/32",
        "PUBLIC_URL": f"https://{NAME}:{port}",
        "ADMIN_NETWORKS": f"{ADMIN}/32",
        "METRICS_NETWORKS": "127.0.0.0/8",
        "WEB_CONCURRENCY": "1",
    }
    with contextlib.ExitStack() as stack:
        webs = [stack.enter_context(running_stack(told, folder / name, workers=n)) for name, n in (("1", 1), ("2", 0))]
        addresses = [f"127.0.0.1:{web.port}" for web in webs]
        site = stack.enter_context(running(authority.issue(NAME), addresses, port=port))
        yield House(site, (webs[0], webs[1]), client_of(site, authority.ca))
        wrong = list(log_schema.wrong_lines(site.access_log.read_text("utf-8").splitlines()))
    assert not wrong, wrong[:5]
