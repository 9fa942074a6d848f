"""Web, worker and backups in containers with the rights of production: they work, and their health check tells the truth."""

import http.client
import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.deploy.image.conftest import Images
from tests.deploy.image.parts import House, open_sockets
from tests.integration.ops.backed_up import Installation
from tests.servers import Pair
from tests.stack import free_port, wait_until
from vote.domain.competition import Competition

MakeCompetition = Callable[..., Competition]


@pytest.fixture
def house(images: Images, servers: Pair, environment: dict[str, str], tmp_path: Path) -> House:
    """The stores of this test, within reach of containers."""
    return House(images, servers, environment, tmp_path / "secrets")


def ask(port: int, method: str, path: str, *, body: object = None, token: str = "") -> tuple[int, dict[str, object]]:
    """One request, on a connection of its own."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    fields = {"Content-Type": "application/json"} | ({"Authorization": f"Bearer {token}"} if token else {})
    try:
        connection.request(method, path, None if body is None else json.dumps(body), fields)
        answer = connection.getresponse()
        return answer.status, json.loads(answer.read() or b"{}")
    finally:
        connection.close()


def test_a_vote_through_the_image(
    house: House, make_competition: MakeCompetition, record_property: Callable[[str, object], None]
) -> None:
    port, one = free_port(), make_competition()
    with house.worker() as worker, house.web(port) as web:
        web.wait_healthy()
        worker.wait_healthy()
        assert ask(port, "GET", "/ready") == (200, {"status": "ready"})
        login = {"username": "mara", "password": "river-otter-9"}
        account = login | {"email": "mara@example.com", "confirm_password": "river-otter-9"}
        assert ask(port, "POST", "/register", body=account)[0] == 201
        token = str(ask(port, "POST", "/login", body=login)[1]["token"])

        status, told = ask(port, "POST", f"/vote/{one.id}", body={"vote": "a"}, token=token)

        assert (status, told["status"]) == (202, "accepted")
        wait_until(lambda: ask(port, "GET", f"/api/receipts/{told['receipt']}")[1]["status"] == "recorded")
        assert ask(port, "GET", f"/api/competitions/{one.id}/results")[1]["options"] == {"a": 1, "b": 0}
        assert web.processes[0].name() == "python"
        assert "gunicorn" in " ".join(web.processes[0].cmdline()), (
            "the command becomes gunicorn, which gets the signals"
        )
        for name, part in (("web", web), ("worker", worker)):
            record_property(f"stop_{name}_s", round(part.stop(), 2))
            assert part.state["ExitCode"] == 0, part.podman("logs")[-3000:]


def test_a_web_or_worker_that_hangs_is_unhealthy(house: House) -> None:
    with house.worker() as worker, house.web(free_port()) as web:
        for part in (worker, web):
            part.wait_healthy()
            with part.frozen():
                assert not part.is_healthy()
            part.wait_healthy()


def test_a_memory_hog_is_ended_and_not_the_machine(images: Images) -> None:
    hog = ["python", "-c", "held = bytearray(600 << 20); print(len(held))"]
    with images.engine.container(images.production, "--network", "none", command=hog) as one:
        wait_until(lambda: not one.state["Running"], what="it has ended")

        assert one.state["ExitCode"] == 137
        assert str(600 << 20) not in one.podman("logs")


# --- backups ----------------------------------------------------------------------------------------------------------


@pytest.fixture
def installation(tmp_path: Path) -> Iterator[Installation]:
    """PostgreSQL with votes in it."""
    one = Installation("system", tmp_path / "installation").fill()
    open_sockets(one.pair)
    yield one
    one.pair.stop()


def test_backups_are_made_and_proved_by_the_image(images: Images, installation: Installation, tmp_path: Path) -> None:
    folder, scratch, sockets = tmp_path / "backups", tmp_path / "scratch", installation.pair.room.sockets
    for made in (folder, scratch):
        made.mkdir()
        os.chown(made, 1000, 1000)
    identity = (installation.home.secrets / "backup-identity").read_text()
    names = ("FLASK_SECRET_KEY", "JWT_SECRET", "DATABASE_URL_BACKUP", "REDIS_URL", "BACKUP_RECIPIENT")
    given = {name: installation.environ[name] for name in names} | {"BACKUP_IDENTITY": identity}
    how = ["--volume", f"{sockets}:{sockets}", "--volume", f"{folder}:/backups", "--volume", f"{scratch}:/scratch"]
    with images.engine.container(images.backup, *how, "--network", "none", environ=given) as one:
        one.wait_healthy()
        one.exec("vote", "backup", "daily")
        (listed,) = json.loads(one.exec("vote", "backup", "list", "--json"))
        with one.frozen():
            assert not one.is_healthy()
        one.wait_healthy()
        one.stop()
        assert one.state["ExitCode"] == 0, one.podman("logs")[-3000:]

    assert listed["votes"] == 300
    assert listed["verified_at"], listed["verdict"]
    assert b"CREATE TABLE" not in b"".join(path.read_bytes() for path in folder.rglob("*") if path.is_file())
