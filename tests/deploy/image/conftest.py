"""What these tests share: an engine, the images as the pipeline builds them, and servers that containers can reach."""

import os
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.deploy.image import base
from tests.deploy.image.base import ROOT
from tests.deploy.image.engine import NEEDED, Engine, running
from tests.servers import Pair

BUILD_S = 600
# pip in the build needs this machine's authorities: the file alone, or packages could not add theirs beside it.
AUTHORITIES = "/etc/ssl/certs/ca-certificates.crt"


class Images(NamedTuple):
    """Names of the images."""

    engine: Engine
    base: str
    production: str
    backup: str
    build_s: float

    def variant(self, name: str, *lines: str) -> str:
        """The production image with some lines more: a fault."""
        text = "\n".join([f"FROM {self.production}", *lines, ""])
        return self.engine.build(text, f"localhost/vote-variant:{name}", self.engine.folder / "nothing")


def build_by_script(engine: Engine, name: str, into: Path, *options: str, targets: str = "production backup") -> None:
    """Build as a release does, on this base."""
    more = ["--pull=never", f"--build-arg=PYTHON={name}", "--build-arg=SOURCE_DATE_EPOCH"]
    more += [f"--volume={AUTHORITIES}:{AUTHORITIES}:ro", *options]
    given = {"CI_FOLDER": str(into), "BUILD_OPTIONS": " ".join(more), "TARGETS": targets}
    done = subprocess.run(
        [ROOT / "deploy/ci/build"],
        env={**os.environ, **engine.variables, **given},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
        timeout=BUILD_S,
    )
    assert done.returncode == 0, done.stdout[-5000:]


@pytest.fixture(scope="session")
def engine() -> Iterator[Engine]:
    """buildah and podman for this run."""
    missing = [name for name in NEEDED if shutil.which(name, path=f"{os.environ['PATH']}:/usr/sbin") is None]
    assert missing == [], "make image-test installs them"
    with running() as one:
        (one.folder / "nothing").mkdir(exist_ok=True)
        yield one


@pytest.fixture(scope="session")
def images(engine: Engine) -> Images:
    """The images of this checkout, built by the script of the pipeline."""
    name = base.official_name()
    base.import_base(engine.variables, name)
    began = time.monotonic()
    build_by_script(engine, name, engine.folder / "ci")
    return Images(engine, name, "localhost/vote-ci:production", "localhost/vote-ci:backup", time.monotonic() - began)


@pytest.fixture(scope="session")
def open_sockets() -> Callable[[Pair], Path]:
    """Lets the account of a container, 1000, connect to the sockets of some servers; returns their folder."""

    def opened(pair: Pair) -> Path:
        pair.room.sockets.chmod(0o755)
        for path in pair.room.sockets.iterdir():
            if path.is_socket():
                path.chmod(0o777)
        return pair.room.sockets

    return opened
