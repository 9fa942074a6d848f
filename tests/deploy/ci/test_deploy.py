"""deploy: by digest, until it is ready, and back by itself. Images, registry, containers are real; kubectl is a stand-in."""

import json
import os
import shutil
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path
from urllib.request import urlopen

import pytest

from tests.deploy.ci.conftest import Pipeline, Pushed
from tests.deploy.ci.front import front
from tests.deploy.ci.scripts import Ended, call, environ, script
from tests.stack import free_port, wait_until


class Cluster:
    """A stand-in cluster with `vote-app`, behind one address."""

    def __init__(self, pipeline: Pipeline, state: Path, url: str) -> None:
        self._pipeline, self.state = pipeline, state
        ports = {"STAND_IN_PORT_A": str(free_port()), "STAND_IN_PORT_B": str(free_port())}
        self.variables = (
            pipeline.variables
            | ports
            | {
                "STAND_IN_STATE": str(state),
                "IMAGE": pipeline.image,
                "PUBLIC_URL": url,
                "DEPLOYMENTS": "vote-app",
                "ROLLOUT_TIMEOUT_S": "3",
                "READY_TIMEOUT_S": "2",
            }
        )
        (state / "vote-app.json").write_text('{"wanted": "none"}', "utf-8")

    def deploy(self, digest: str, **variables: str) -> Ended:
        """Bring a digest to production."""
        given = self.variables | {"DIGEST": digest} | variables
        return call("deploy", self.state, given, "kubernetes", stand_ins=("kubectl",))

    def serves(self) -> str:
        """The name of the image that answers people now."""
        with urlopen(self.variables["PUBLIC_URL"], timeout=5) as answer:
            return str(answer.read().decode())

    @property
    def wanted(self) -> str:
        return str(json.loads((self.state / "vote-app.json").read_text("utf-8"))["wanted"])


@pytest.fixture
def cluster(pipeline: Pipeline, first: Pushed, tmp_path: Path) -> Iterator[Cluster]:
    """A cluster in which the first image serves."""
    with front(tmp_path) as url:
        one = Cluster(pipeline, tmp_path, url)
        deployed = one.deploy(first.digest)
        assert deployed.code == 0, deployed.said
        yield one
        command = ["podman", "rm", "--all", "--force", "--time", "0"]
        subprocess.run(command, env={**os.environ, **pipeline.variables}, capture_output=True, check=False)


def test_an_image_that_gets_ready_is_in_production(cluster: Cluster, second: Pushed, pipeline: Pipeline) -> None:
    assert cluster.serves() == "first"

    ended = cluster.deploy(second.digest)

    assert ended.code == 0, ended.said
    assert cluster.serves() == "second"
    assert cluster.wanted == f"{pipeline.image}@{second.digest}"


def test_an_image_that_never_gets_ready_goes_back_by_itself(
    cluster: Cluster, never_ready: Pushed, first: Pushed, pipeline: Pipeline
) -> None:
    ended = cluster.deploy(never_ready.digest)

    assert ended.code == 1
    assert "Going back" in ended.said
    assert cluster.serves() == "first"
    assert cluster.wanted == f"{pipeline.image}@{first.digest}"


def test_an_image_that_is_not_in_the_registry_goes_back_by_itself(cluster: Cluster) -> None:
    ended = cluster.deploy(f"sha256:{'0' * 64}")

    assert ended.code == 1
    assert cluster.serves() == "first"


def test_an_image_that_people_do_not_reach_goes_back_by_itself(cluster: Cluster, pipeline: Pipeline) -> None:
    unreachable = pipeline.push("unreachable", is_healthy=False)

    ended = cluster.deploy(unreachable.digest)

    assert ended.code == 1
    assert "404" in ended.said
    assert cluster.serves() == "first"


def test_going_back_again_is_a_deployment_of_the_older_digest(cluster: Cluster, first: Pushed, second: Pushed) -> None:
    assert cluster.deploy(second.digest).code == 0

    ended = cluster.deploy(first.digest)

    assert ended.code == 0
    assert cluster.serves() == "first"


def test_the_same_digest_again_changes_nothing(cluster: Cluster, first: Pushed) -> None:
    before = (cluster.state / "vote-app.json").read_text("utf-8")

    ended = cluster.deploy(first.digest)

    assert ended.code == 0
    assert (cluster.state / "vote-app.json").read_text("utf-8") == before


def test_a_deployment_that_is_canceled_goes_back(cluster: Cluster, never_ready: Pushed, first: Pushed) -> None:
    variables = cluster.variables | {"DIGEST": never_ready.digest, "ROLLOUT_TIMEOUT_S": "20"}
    with subprocess.Popen(
        [script("deploy"), "kubernetes"], env=environ(variables, "kubectl"), stdout=subprocess.PIPE, text=True
    ) as running:
        try:
            wait_until(lambda: never_ready.digest in cluster.wanted, what="the new image is wanted")
            running.send_signal(signal.SIGTERM)
            said, _ = running.communicate(timeout=40)  # what a script leaves behind may write to the end of its time
        finally:
            running.kill()

    assert running.returncode == 1
    assert "Going back" in said
    assert first.digest in cluster.wanted
    assert cluster.serves() == "first"


@pytest.mark.parametrize("digest", ["latest", "v1.0.0", "sha256:abc", f"sha256:{'0' * 64} --all"])
def test_only_a_digest_is_deployed(cluster: Cluster, digest: str) -> None:
    ended = cluster.deploy(digest)

    assert ended.code == 1
    assert "not a digest" in ended.said
    assert cluster.serves() == "first"


def test_every_deployment_goes_back_when_one_fails(cluster: Cluster, second: Pushed, first: Pushed) -> None:
    (cluster.state / "vote-worker.json").write_text('{"wanted": "nowhere.invalid/none"}', "utf-8")

    ended = cluster.deploy(second.digest, DEPLOYMENTS="vote-app vote-worker vote-missing")

    assert ended.code == 1
    assert "vote-missing" in ended.said
    assert cluster.serves() == "first", "nothing was begun: all are looked up before the first is changed"


@pytest.mark.parametrize("arguments", [(), ("swarm",), ("kubernetes", "compose")])
def test_a_wrong_call_says_how_to_call_it(tmp_path: Path, arguments: tuple[str, ...]) -> None:
    variables = {"DIGEST": f"sha256:{'0' * 64}", "PUBLIC_URL": "http://127.0.0.1:1"}

    ended = call("deploy", tmp_path, variables, *arguments)

    assert ended.code == 2
    assert "usage: deploy/ci/deploy" in ended.said


# --- one host: deploy/compose/upgrade does the work and goes back by itself; here it is a stand-in ------------------------

UPGRADE = '#!/bin/sh\necho "upgrade $*" >>calls\necho "VOTE_IMAGE=$1" >.env\nexit {code}\n'
ROLLBACK = "#!/bin/sh\necho rollback >>calls\n"


def on_one_host(folder: Path, url: str, *, code: int, **more: str) -> tuple[int, str]:
    """Deploy on a host whose upgrade ends with this code. Return the exit code, and what was called."""
    shutil.copytree(script("deploy").parent, folder / "deploy" / "ci")
    compose = folder / "deploy" / "compose"
    compose.mkdir()
    for name, text in (("upgrade", UPGRADE.format(code=code)), ("rollback", ROLLBACK)):
        (compose / name).write_text(text, "utf-8")
        (compose / name).chmod(0o755)
    (folder / "calls").touch()
    variables = {"DIGEST": f"sha256:{'0' * 64}", "PUBLIC_URL": url, "READY_TIMEOUT_S": "1", **more}
    command = [folder / "deploy/ci/deploy", "compose"]
    done = subprocess.run(command, env=environ(variables), capture_output=True, check=False, timeout=60)
    return done.returncode, (folder / "calls").read_text("utf-8")


def test_on_one_host_a_failed_upgrade_fails_the_deployment(tmp_path: Path) -> None:
    assert on_one_host(tmp_path, "http://127.0.0.1:1", code=1) == (1, f"upgrade sha256:{'0' * 64}\n")


def test_on_one_host_the_backup_image_comes_along(tmp_path: Path) -> None:
    image, backup = f"sha256:{'0' * 64}", f"sha256:{'1' * 64}"

    assert on_one_host(tmp_path, "http://127.0.0.1:1", code=1, BACKUP_DIGEST=backup) == (
        1,
        f"upgrade {image} {backup}\n",
    )


def test_on_one_host_what_people_do_not_reach_is_rolled_back(tmp_path: Path) -> None:
    assert on_one_host(tmp_path, "http://127.0.0.1:1", code=0) == (1, f"upgrade sha256:{'0' * 64}\nrollback\n")


def test_on_one_host_what_people_reach_stays(cluster: Cluster, tmp_path: Path) -> None:
    (tmp_path / "host").mkdir()

    assert on_one_host(tmp_path / "host", cluster.variables["PUBLIC_URL"], code=0) == (
        0,
        f"upgrade sha256:{'0' * 64}\n",
    )
