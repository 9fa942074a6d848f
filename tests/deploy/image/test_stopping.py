"""SIGTERM under load: two webs are restarted in turn while people vote, and nobody's request fails.

Clients do what every load balancer does: they take the other web when one refuses the connection. A kept connection that is
just being closed is met once in a while; that request is sent once more and counted apart.
"""

import contextlib
import http.client
import itertools
import json
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

from tests.deploy.image.conftest import Images
from tests.deploy.image.engine import Container
from tests.deploy.image.parts import House
from tests.servers import Pair
from tests.stack import free_port, wait_until
from vote.db.users import Account
from vote.domain.competition import Competition

RESTARTS = 20
KEPT, NEW = 2, 3  # clients that keep their connection, and that open one for each request
VOTERS = 40
BROKEN = (OSError, http.client.HTTPException)

MakeUser = Callable[..., Account]
MakeCompetition = Callable[..., Competition]
TokenOf = Callable[[Account], str]


class Voters:
    """Clients that vote without a pause until the end of the block."""

    def __init__(self, ports: tuple[int, int], path: str, tokens: list[str]) -> None:
        self._ports, self._path = ports, path
        self._tokens, self._turn = itertools.cycle(tokens), itertools.cycle((0, 1))
        self._lock, self._is_over = threading.Lock(), threading.Event()
        self.counts, self.failed = Counter[str](), list[str]()

    @contextlib.contextmanager
    def running(self) -> Iterator["Voters"]:
        threads = [threading.Thread(target=self._keep, daemon=True) for _ in range(KEPT)]
        threads += [threading.Thread(target=self._renew, daemon=True) for _ in range(NEW)]
        for thread in threads:
            thread.start()
        try:
            yield self
        finally:
            self._is_over.set()
            for thread in threads:
                thread.join(30)

    def wait_for(self, count: int) -> None:
        """Return when so many more were answered, or something failed."""
        before = self.counts["answered"]
        wait_until(lambda: self.counts["answered"] - before >= count or self.failed, what="people vote")

    def _connect(self) -> http.client.HTTPConnection:
        """Connect to a web, or to the other one where this refuses. Raises OSError where both do."""
        with self._lock:
            first = next(self._turn)
        for number in (first, 1 - first):
            connection = http.client.HTTPConnection("127.0.0.1", self._ports[number], timeout=20)
            try:
                connection.connect()
            except ConnectionRefusedError:
                connection.close()
            else:
                return connection
        raise ConnectionRefusedError("neither web takes connections")

    def _vote(self, connection: http.client.HTTPConnection) -> bool:
        """Cast a ballot; return whether the connection stays open."""
        with self._lock:
            token = next(self._tokens)
        fields = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
        connection.request("POST", self._path, b'{"vote":"a"}', fields)
        answer = connection.getresponse()
        text = answer.read()
        with self._lock:
            self.counts["answered"] += 1
            if answer.status not in (200, 202):
                self.failed.append(f"{answer.status} {text[:200]!r}")
        return not answer.will_close

    def _renew(self) -> None:
        while not self._is_over.is_set():
            self._once()

    def _once(self) -> None:
        try:
            with contextlib.closing(self._connect()) as connection:
                self._vote(connection)
        except BROKEN as error:
            with self._lock:
                self.failed.append(f"new connection: {error!r}")

    def _keep(self) -> None:
        while not self._is_over.is_set():
            try:
                with contextlib.closing(self._connect()) as connection:
                    stays = self._vote(connection)
                    while stays and not self._is_over.is_set():
                        stays = self._vote_again(connection)
            except BROKEN as error:
                with self._lock:
                    self.failed.append(f"new connection: {error!r}")

    def _vote_again(self, connection: http.client.HTTPConnection) -> bool:
        try:
            return self._vote(connection)
        except BROKEN:
            with self._lock:
                self.counts["sent again"] += 1
            self._once()
            return False


def restart(web: Container, port: int) -> float:
    """Stop it as Docker does, start it, and return when it is ready again; the seconds that stopping took."""
    took = web.stop()
    assert web.state["ExitCode"] == 0, web.podman("logs")[-3000:]
    web.podman("start")
    wait_until(lambda: is_ready(port), what="the web is ready")
    return took


def is_ready(port: int) -> bool:
    with (
        contextlib.suppress(*BROKEN),
        contextlib.closing(http.client.HTTPConnection("127.0.0.1", port, timeout=5)) as one,
    ):
        one.request("GET", "/ready")
        answer = one.getresponse()
        return answer.status == 200 and json.loads(answer.read())["status"] == "ready"
    return False


def test_twenty_restarts_while_people_vote(
    images: Images,
    servers: Pair,
    environment: dict[str, str],
    tmp_path: Path,
    make_competition: MakeCompetition,
    make_user: MakeUser,
    token_of: TokenOf,
    record_property: Callable[[str, object], None],
) -> None:
    house, one = House(images, servers, environment, tmp_path / "secrets"), make_competition()
    ports = (free_port(), free_port())
    tokens = [token_of(make_user()) for _ in range(VOTERS)]
    with contextlib.ExitStack() as parts:
        parts.enter_context(house.worker())
        webs = [parts.enter_context(house.web(port, "--network", "host")) for port in ports]
        for port in ports:
            wait_until(lambda port=port: is_ready(port), what="the webs are ready")
        seconds = []
        with Voters(ports, f"/vote/{one.id}", tokens).running() as voters:
            for number in range(RESTARTS):
                seconds.append(restart(webs[number % 2], ports[number % 2]))
                voters.wait_for(50)
                assert voters.failed == [], f"in restart {number + 1}"

        record_property("restarts", RESTARTS)
        record_property("answered", voters.counts["answered"])
        record_property("failed", len(voters.failed))
        record_property("sent_again", voters.counts["sent again"])
        record_property("slowest_stop_s", round(max(seconds), 2))
        assert voters.failed == []
        assert voters.counts["answered"] > 50 * RESTARTS
