"""buildah and podman with a store of their own, and a registry: on loopback, and gone afterwards.

Debian's podman as root on a machine without systemd: runc, since crun refuses its mixed control groups; cgroupfs; and
limits, since podman's own are higher than such a machine allows.
"""

import contextlib
import os
import shutil
import signal
import subprocess
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from urllib.error import URLError
from urllib.request import Request, urlopen

from tests.stack import free_port, wait_until
from vote.ops.process import die_with_parent

NEEDED = ("buildah", "podman", "runc", "docker-registry", "busybox")
STORAGE = """
[storage]
driver = "overlay"
graphroot = "{folder}/store"
runroot = "{folder}/run"
"""
ENGINE = """
[containers]
default_ulimits = ["nofile=4096:4096", "nproc=4096:4096"]
log_driver = "k8s-file"
[network]
network_backend = "netavark"
network_config_dir = "{folder}/networks"
[engine]
runtime = "runc"
cgroup_manager = "cgroupfs"
events_logger = "none"
tmp_dir = "{folder}/tmp"
"""
MANIFESTS = "application/vnd.docker.distribution.manifest.v2+json, application/vnd.oci.image.manifest.v1+json"


def missing() -> list[str]:
    """Return the programs that are not here."""
    return [program for program in NEEDED if shutil.which(program) is None]


def environment(folder: Path) -> dict[str, str]:
    """Return variables that keep buildah and podman inside a folder."""
    (folder / "storage.conf").write_text(STORAGE.format(folder=folder), "utf-8")
    (folder / "containers.conf").write_text(ENGINE.format(folder=folder), "utf-8")
    return {
        "CONTAINERS_STORAGE_CONF": str(folder / "storage.conf"),
        "CONTAINERS_CONF": str(folder / "containers.conf"),
        "BUILDAH_ISOLATION": "chroot",
        "ENGINE": "buildah",
    }


def remove_all(variables: dict[str, str]) -> None:
    """End every container of the store and give its layers back."""
    for command in ("podman rm --all --force --time 0", "podman rmi --all --force", "buildah rm --all"):
        subprocess.run(command.split(), env={**os.environ, **variables}, capture_output=True, check=False, timeout=120)
    for left in sorted(Path("/sys/fs/cgroup").glob("*/libpod_parent/**"), reverse=True):
        with contextlib.suppress(OSError):  # another podman is using it
            left.rmdir()


@contextlib.contextmanager
def registry(folder: Path) -> Iterator[str]:
    """A real registry without TLS; its address."""
    port = free_port()
    config = folder / "registry.yml"
    config.write_text(
        f"version: 0.1\nstorage:\n  filesystem:\n    rootdirectory: {folder}/registry\nhttp:\n  addr: 127.0.0.1:{port}\n",
        "utf-8",
    )
    with (folder / "registry.log").open("wb") as log:
        process = subprocess.Popen(
            ["docker-registry", "serve", str(config)],
            stdout=log,
            stderr=log,
            preexec_fn=partial(die_with_parent, os.getpid(), signal.SIGKILL),  # noqa: PLW1509
        )
        try:
            wait_until(lambda: _answers(f"http://127.0.0.1:{port}/v2/"), what="the registry answers")
            yield f"127.0.0.1:{port}"
        finally:
            process.terminate()
            process.wait(10)


def digest_in_registry(address: str, name: str, tag: str) -> str:
    """Return the digest under which the registry holds a tag, as it says itself."""
    request = Request(f"http://{address}/v2/{name}/manifests/{tag}", method="HEAD", headers={"Accept": MANIFESTS})
    with urlopen(request, timeout=10) as answer:
        return str(answer.headers["Docker-Content-Digest"])


def _answers(url: str) -> bool:
    with contextlib.suppress(URLError, OSError), urlopen(url, timeout=2):
        return True
    return False
