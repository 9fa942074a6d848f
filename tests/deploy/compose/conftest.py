"""What these tests share: one host, set up once, with people who vote."""

import contextlib
import itertools
import json
import threading
import time
from collections.abc import Callable, Iterator

import pytest

from tests.deploy.compose import debian_images
from tests.deploy.compose.host import Host, running
from tests.deploy.compose.page import SCRIPTS
from tests.deploy.image.conftest import Images, engine, images
from tests.deploy.nginx.clients import Answer, Client
from tests.deploy.nginx.load import Counts, Load
from tests.stack import wait_until

__all__ = ["engine", "images"]

VOTERS = 20
PACE_S = 0.03  # between two ballots of a client: six of them stay below the limits of 20 accounts at one web
PASSWORD = "river-otter-9"
FIRST = "localhost/vote-app:one"
FIRST_BACKUP = "localhost/vote-app-backup:one"
# What a host without a registry and without a public name gives besides: images, and a certificate of its own.
GIVEN = ("--image", FIRST, "--backup-image", FIRST_BACKUP, "--self-signed")
SETUP = ("--domain", "localhost", "--email", "ops@example.org", *GIVEN[:-1])
SECOND = "localhost/vote-app:two"
NEVER_READY = "localhost/vote-app:broken"
# Never ready as web-2, whose address the engine writes there.
HALFWAY = ["sh", "-c", "if grep -q ^172.29.8.12 /etc/hosts; then exec sleep 3600; else exec vote web; fi"]


class House:
    """A host that is set up, an open competition, and people with tokens."""

    def __init__(self, host: Host, images: Images, setup_s: float) -> None:
        self.host, self.images, self.setup_s = host, images, setup_s
        self.client: Client = host.client
        self.tokens = [self._register(f"voter-{number}") for number in range(VOTERS)]
        self._organiser = self._register("olga")
        host.vote("admin", "promote", "olga", "--role", "organiser")
        self.competition = self.open_competition()

    def _register(self, name: str) -> str:
        account = {"username": name, "email": f"{name}@example.com", "password": PASSWORD, "confirm_password": PASSWORD}
        answer = self.client.post("/register", json.dumps(account).encode())
        assert answer.status == 201, answer.body
        return str(answer.json["token"])

    def open_competition(self) -> int:
        """A new competition that is open."""
        body = json.dumps({"name": "Which stage?", "option_a": "River", "option_b": "Hall"}).encode()
        made = self.client.post("/api/admin/competitions", body, bearer(self._organiser))
        assert made.status == 201, made.body
        number = int(made.json["id"])
        wait_until(lambda: self.cast(number, self.tokens[0]).status in (200, 202), what="votes are accepted")
        return number

    def cast(self, competition: int, token: str, choice: str = "a") -> Answer:
        """A ballot through nginx."""
        return self.client.post(f"/vote/{competition}", json.dumps({"vote": choice}).encode(), bearer(token))

    def total(self, competition: int) -> int:
        return int(self.client.get(f"/api/competitions/{competition}/results").json["total"])

    @contextlib.contextmanager
    def voting(self, competition: int) -> Iterator[Load]:
        """People vote without a pause, on kept and on new connections, until the end of the block."""
        turns, pause = itertools.cycle(self.tokens), threading.Event()

        def ballot(client: Client) -> bytes:
            pause.wait(PACE_S)
            fields = {**bearer(next(turns)), "Content-Type": "application/json"}
            return client.request("POST", f"/vote/{competition}", fields, b'{"vote":"a"}')

        with Load(self.client, ballot, lambda given: given.status in (200, 202)).running() as load:
            wait_until(lambda: load.counts.answered > 50 or load.counts.failed, what="people vote")
            yield load
            before = load.counts.answered
            wait_until(lambda: load.counts.answered - before > 50 or load.counts.failed, what="people still vote")

    def image_of(self, service: str) -> str:
        return str(self.host.container(service)["ImageName"])


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


def note(record: Callable[[str, object], None], counts: Counts) -> None:
    """Keep what happened to people for the record, and fail if anybody was refused."""
    record("requests", counts.answered)
    record("failed", len(counts.failed))
    record("sent_again", counts.sent_again)
    assert counts.failed == []


@pytest.fixture(scope="session")
def bare_host(images: Images) -> Iterator[Host]:
    """A host with images and nothing else."""
    debian_images.build(images.engine)
    for name, image in ((FIRST, images.production), (FIRST_BACKUP, images.backup)):
        images.engine.call("podman", "tag", image, name)
    with running(images.engine) as host:
        yield host


@pytest.fixture(scope="session")
def house(bare_host: Host, images: Images) -> House:
    """The same, set up by the first command of the page."""
    began = time.monotonic()
    ended = bare_host.shell(f"{SCRIPTS['setup']} {' '.join(GIVEN)}")
    if ended.code:
        logs = bare_host.compose("logs", "--tail", "30", check=False)
        raise AssertionError(f"{ended.said}\n{logs[-6000:]}")
    return House(bare_host, images, time.monotonic() - began)


@pytest.fixture(scope="session")
def versions(house: House) -> None:
    """Three more versions: one that works, one that never gets ready, and one of which only one web does."""
    images, nothing = house.images, house.images.engine.folder / "nothing"
    images.engine.build(f"FROM {images.production}\nENV RELEASE=two\n", SECOND, nothing)
    images.engine.build(f'FROM {images.production}\nCMD ["sleep", "3600"]\n', NEVER_READY, nothing)
    images.engine.build(f"FROM {images.production}\nCMD {json.dumps(HALFWAY)}\n", "localhost/vote-app:halfway", nothing)
    for tag in ("two", "broken", "halfway"):
        images.engine.build(f"FROM {images.backup}\nENV RELEASE={tag}\n", f"localhost/vote-app-backup:{tag}", nothing)
