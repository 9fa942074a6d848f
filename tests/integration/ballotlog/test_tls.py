"""The ballot log over TLS: only the right server, named by its right name, is talked to at all; through Sentinel too.

On Debian's Redis: the Valkey of the wheels speaks no TLS.
"""

import asyncio
import contextlib
import re
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import redis

from tests.certificates import Authority, Certificate
from tests.stack import free_port, wait_until
from vote import redis_client
from vote.ballotlog.ballot_box import BallotBox
from vote.ballotlog.log import BallotLog
from vote.domain.installation import Installation
from vote.errors import LogUnavailable
from vote.ops.account import server_account
from vote.ops.embedded import programs

pytestmark = pytest.mark.tls

NAME = "localhost"  # what the certificate names; the same server is 127.0.0.1, which it does not name
SHARDS = 2
MARGIN_S = 3.0  # what a machine that is busy with other tests may add
SERVICE = "vote"
SAFE = ["--appendonly", "yes", "--appendfsync", "always", "--save", "", "--maxmemory-policy", "noeviction"]


class Servers:
    """Starts what a test needs, and ends it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.authority, self.stranger = Authority(folder, "ours"), Authority(folder, "stranger")
        self._program = programs.find("system", server_account()).redis_server
        self._children: list[subprocess.Popen[bytes]] = []

    def tls(self, certificate: Certificate) -> int:
        """A server that speaks TLS alone; its port."""
        port = free_port()
        self._start(port, "--port", "0", "--tls-port", str(port), *self._shows(certificate), *SAFE)
        return port

    def plain(self) -> int:
        """A server that speaks plain text alone; its port."""
        port = free_port()
        self._start(port, "--port", str(port), *SAFE)
        return port

    def sentinel(self, certificate: Certificate, primary: int) -> int:
        """A Sentinel that speaks TLS alone, with its clients and with what it watches; its port."""
        port = free_port()
        config = self.folder / f"sentinel-{port}.conf"
        shown = self._shows(certificate)
        lines = [f"{name.removeprefix('--')} {value}" for name, value in zip(shown[::2], shown[1::2], strict=True)]
        lines += ["port 0", f"tls-port {port}", "tls-replication yes", f"dir {self.folder}"]
        config.write_text("\n".join([*lines, f"sentinel monitor {SERVICE} 127.0.0.1 {primary} 1", ""]))
        self._start(port, str(config), "--sentinel")
        return port

    def stop(self) -> None:
        for child in self._children:
            child.kill()
            child.wait()

    def _shows(self, certificate: Certificate) -> list[str]:
        files = ["--tls-cert-file", str(certificate.certificate), "--tls-key-file", str(certificate.key)]
        return [*files, "--tls-ca-cert-file", str(self.authority.ca), "--tls-auth-clients", "no"]

    def _start(self, port: int, *options: str) -> None:
        data = self.folder / str(port)
        data.mkdir()
        with (data / "output").open("ab") as output:
            command = [str(self._program), *options, *([] if "--sentinel" in options else ["--dir", str(data)])]
            self._children.append(subprocess.Popen([*command, "--bind", "127.0.0.1"], stdout=output, stderr=output))
        wait_until(lambda: "eady to accept" in (data / "output").read_text() or _listens(port), what="it answers")


def _listens(port: int) -> bool:
    # Any answer will do: without TLS this client is told nothing, and hung up on.
    with contextlib.suppress(redis.exceptions.TimeoutError), redis.Redis(port=port, socket_timeout=1) as client:
        try:
            return bool(client.ping())
        except redis.exceptions.ConnectionError as error:
            return "refused" not in str(error)
    return False


@pytest.fixture(scope="module")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Servers]:
    """What starts them; not the pair other tests use."""
    one = Servers(tmp_path_factory.mktemp("tls"))
    yield one
    one.stop()


@pytest.fixture(scope="module")
def port(servers: Servers) -> int:
    """The port of a server with a good certificate."""
    return servers.tls(servers.authority.issue("good", NAME))


def url(port: int, ca: Path, *, scheme: str = "rediss", host: str = NAME) -> str:
    """The log's URL."""
    return f"{scheme}://{host}:{port}/0?ssl_ca_certs={ca}"


@contextlib.contextmanager
def opened(address: str) -> Iterator[BallotLog]:
    """A client of the log."""
    client = BallotLog(address, SHARDS, Installation("tests"))
    try:
        yield client
    finally:
        client.close()


def test_the_right_server_is_talked_to_in_tls(servers: Servers, port: int) -> None:
    address = url(port, servers.authority.ca)

    with opened(address) as log:
        log.load_library()
        shards = log.describe_all()
    with redis_client.connect(address) as client:
        mine, only = client.client_info(), client.config_get("port")

    assert len(shards) == SHARDS
    # Redis says of no connection that it is in TLS, but there is no other door than that of TLS.
    assert only == {"port": "0"}
    assert mine["laddr"].endswith(f":{port}")


def test_ballots_are_cast_in_tls(servers: Servers, port: int) -> None:
    address = url(port, servers.authority.ca)
    with opened(address) as log:
        log.load_library()

    with pytest.raises(LogUnavailable, match="getting ready"):  # the log itself says so: nobody made the shard ready
        cast(address)


def test_sentinels_and_what_they_watch_are_talked_to_in_tls(servers: Servers) -> None:
    both = servers.authority.issue("both", NAME, "127.0.0.1")  # a Sentinel names what it watches by address
    primary = servers.tls(both)
    watcher = servers.sentinel(both, primary)
    address = f"rediss+sentinel://{NAME}:{watcher}/{SERVICE}?ssl_ca_certs={servers.authority.ca}"

    assert redis_client.is_replicated(address)
    with opened(address) as log:
        log.load_library()
        assert len(log.describe_all()) == SHARDS
    with pytest.raises(LogUnavailable, match="getting ready"):
        cast(address)

    refused(address.replace(str(servers.authority.ca), str(servers.stranger.ca)), "No master found")
    refused(f"redis+sentinel://{NAME}:{watcher}/{SERVICE}", "No master found")


def test_what_a_sentinel_names_must_show_that_name(servers: Servers) -> None:
    by_name_only = servers.tls(servers.authority.issue("by-name", NAME))
    watcher = servers.sentinel(servers.authority.issue("watcher", NAME), by_name_only)

    refused(f"rediss+sentinel://{NAME}:{watcher}/{SERVICE}?ssl_ca_certs={servers.authority.ca}", "IP address mismatch")


Case = Callable[[Servers, int], str]
WRONG: dict[str, tuple[Case, str]] = {
    "another authority": (lambda servers, port: url(port, servers.stranger.ca), "certificate verify failed"),
    "no authority": (lambda _servers, port: f"rediss://{NAME}:{port}/0", "certificate verify failed"),
    "another name": (lambda servers, port: url(port, servers.authority.ca, host="127.0.0.1"), "IP address mismatch"),
    "no such file": (lambda _servers, port: url(port, Path("/nowhere/ca.pem")), "No such file"),
    "plain text": (lambda _servers, port: f"redis://{NAME}:{port}/0", "closed|reset|Protocol Error"),
    "expired": (
        lambda servers, _port: url(
            servers.tls(servers.authority.issue("expired", NAME, expired=True)), servers.authority.ca
        ),
        "certificate has expired",
    ),
    # Redis waits for the end of what it takes for a command.
    "a server without TLS": (lambda servers, _port: url(servers.plain(), servers.authority.ca), "Timeout connecting"),
}


@pytest.mark.parametrize("case", WRONG)
def test_anything_else_is_refused_with_the_reason(servers: Servers, port: int, case: str) -> None:
    make_url, reason = WRONG[case]

    refused(make_url(servers, port), reason)


def refused(address: str, reason: str) -> None:
    """Neither client gets anywhere, nobody waits long, and /ready can say why."""
    began = time.monotonic()
    with opened(address) as log, pytest.raises(LogUnavailable) as refusal:
        log.describe_all()
    assert time.monotonic() - began < redis_client.ANSWER_TIMEOUT_S + MARGIN_S
    assert refusal.match("not answering")
    found = str(refusal.value.__cause__)
    assert re.search(reason, found), found

    began = time.monotonic()
    with pytest.raises(LogUnavailable, match="Not confirmed"):
        cast(address)
    assert time.monotonic() - began < redis_client.ANSWER_TIMEOUT_S + MARGIN_S


def cast(address: str) -> None:
    """Cast a ballot there, as the front door does."""

    async def run() -> None:
        box = BallotBox(address, SHARDS, Installation("tests"))
        try:
            await box.cast(competition=1, voter=1, choice="a", ballot_id="0" * 32)
        finally:
            await box.close()
            for sentinel in getattr(getattr(box._kept._pool, "sentinel_manager", None), "sentinels", []):
                await sentinel.aclose()

    asyncio.run(run())
