"""What these tests share: an engine, a registry, and images that were built and pushed by the scripts themselves."""

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.deploy.ci import containers, tiny_image
from tests.deploy.ci.scripts import call


class Pushed(NamedTuple):
    """An image in the registry, and the folder that its steps handed on."""

    digest: str
    folder: Path


class Pipeline(NamedTuple):
    """Variables of every step, and the registry's address."""

    variables: dict[str, str]
    registry: str
    folder: Path

    @property
    def image(self) -> str:
        """The name of the production image."""
        return f"{self.registry}/vote-app"

    def build(self, name: str, *, targets: str = "production", **kind: bool) -> dict[str, str]:
        """Build a tiny image; return the variables for its next steps."""
        folder = Path(tempfile.mkdtemp(prefix=f"{name}-", dir=self.folder))
        context = tiny_image.context(folder, name=name, **kind)
        own = {"CI_FOLDER": str(folder / "ci"), "TARGETS": targets, "IMAGE": self.image, "TAG": name}
        own |= {
            "DOCKERFILE": str(context / "Dockerfile"),
            "CONTEXT": str(context),
            "PUSH_OPTIONS": "--tls-verify=false",
        }
        variables = self.variables | own
        built = call("build", folder, variables)
        assert built.code == 0, built.said
        return variables

    def push(self, name: str, **kind: bool) -> Pushed:
        """Build and push a tiny image."""
        variables = self.build(name, **kind)
        pushed = call("push", self.folder, variables)
        assert pushed.code == 0, pushed.said
        return Pushed(pushed.outputs["production"], Path(variables["CI_FOLDER"]))


@pytest.fixture(scope="session")
def pipeline() -> Iterator[Pipeline]:
    """The engine and the registry of this run. Not below pytest's folder: a socket's path may have 107 bytes at most."""
    assert containers.missing() == [], "make image-test installs them"
    with tempfile.TemporaryDirectory(prefix="vote-ci-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        variables = containers.environment(folder)
        try:
            with containers.registry(folder) as address:
                yield Pipeline(variables, address, folder)
        finally:
            containers.remove_all(variables)
            shutil.rmtree(folder / "store", ignore_errors=True)


@pytest.fixture(scope="session")
def first(pipeline: Pipeline) -> Pushed:
    """An image that gets ready."""
    return pipeline.push("first")


@pytest.fixture(scope="session")
def second(pipeline: Pipeline) -> Pushed:
    """The next one, ready too."""
    return pipeline.push("second")


@pytest.fixture(scope="session")
def never_ready(pipeline: Pipeline) -> Pushed:
    """The planted one: it serves, but its /ready never answers 200."""
    return pipeline.push("never-ready", is_ready=False)
