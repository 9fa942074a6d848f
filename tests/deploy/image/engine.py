"""buildah and podman with a store of their own, and what is run in it: gone when the block ends, also after Ctrl-C."""

import contextlib
import json
import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import psutil

from tests.deploy.ci import containers
from tests.stack import wait_until

NEEDED = ("buildah", "podman", "runc", "mmdebstrap", "iptables")
# As the image is meant to run, and as compose.yaml runs it: no rights, one place to write.
RIGHTS = (
    *("--read-only", "--read-only-tmpfs=false", "--cap-drop", "all", "--security-opt", "no-new-privileges"),
    *("--memory", "512m", "--pids-limit", "256", "--tmpfs", "/tmp:rw,nosuid,nodev,noexec,size=64m,mode=1777"),
)
# podman without systemd says twice for each container that it runs no health checks.
NOISE = "systemd connection to"


class Engine:
    """podman and buildah on one store."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.variables = folder, containers.environment(folder)

    def call(
        self, *command: str | Path, check: bool = True, text: str | None = None, timeout: float = 120
    ) -> subprocess.CompletedProcess[str]:
        """Run a program on the store; what it says on both channels without podman's noise is in `stdout` and `stderr`."""
        done = subprocess.run(
            [str(word) for word in command],
            input=text,
            env={**os.environ, **self.variables},
            capture_output=True,
            text=True,
            check=False,
            timeout=timeout,
        )
        done.stderr = "".join(line for line in done.stderr.splitlines(keepends=True) if NOISE not in line)
        assert not check or done.returncode == 0, f"{' '.join(map(str, command))}: {done.stderr[-3000:]}"
        return done

    def inspect(self, image: str) -> dict[str, Any]:
        """What podman knows of an image."""
        return dict(json.loads(self.call("podman", "image", "inspect", image).stdout)[0])

    def build(self, dockerfile: str, name: str, context: Path, *options: str) -> str:
        """Build an image from a text; return its name."""
        command = [
            "buildah",
            "build",
            "--quiet",
            "--format",
            "docker",
            "--pull=never",
            *options,
            "--file",
            "-",
            "--tag",
        ]
        self.call(*command, name, context, text=dockerfile)
        return name

    def run_once(self, image: str, *command: str, options: Sequence[str] = RIGHTS, check: bool = True) -> str:
        """Run a command in a container without a network; return what it says."""
        begin = ["podman", "run", "--rm", "--network", "none", "--no-healthcheck", *options, image]
        done = self.call(*begin, *command, check=check)
        return done.stdout + done.stderr

    @contextlib.contextmanager
    def files_of(self, image: str) -> Iterator[Path]:
        """The root folder of an image, to look at."""
        folder = self.call("podman", "image", "mount", image).stdout.strip()
        try:
            yield Path(folder)
        finally:
            self.call("podman", "image", "unmount", image)

    @contextlib.contextmanager
    def container(
        self, image: str, *options: str, environ: Mapping[str, str] | None = None, command: Sequence[str] = ()
    ) -> Iterator["Container"]:
        """A container in the background with the rights of production."""
        settings = [word for name, value in (environ or {}).items() for word in ("--env", f"{name}={value}")]
        begin = ["podman", "run", "--detach", *RIGHTS, *options, *settings, image, *command]
        one = Container(self, self.call(*begin).stdout.strip())
        try:
            yield one
        finally:
            self.call("podman", "rm", "--force", "--time", "0", one.name, check=False)


class Container:
    """One container."""

    def __init__(self, engine: Engine, name: str) -> None:
        self._engine, self.name = engine, name

    def podman(self, verb: str, *words: str, check: bool = True) -> str:
        """A command of podman about this container; what it says."""
        done = self._engine.call("podman", verb, *words, self.name, check=check)
        return done.stdout + done.stderr

    def exec(self, *command: str, check: bool = True) -> str:
        """Run a command inside; what it says."""
        done = self._engine.call("podman", "exec", self.name, *command, check=check)
        return done.stdout + done.stderr

    def is_healthy(self) -> bool:
        """Ask the image's own health check once. No systemd runs it here, so nobody else does."""
        return self._engine.call("podman", "healthcheck", "run", self.name, check=False).returncode == 0

    def wait_healthy(self) -> None:
        """Return when its health check says so."""
        wait_until(lambda: self.is_healthy() or self._fail_if_over(), what="the container is healthy")

    def _fail_if_over(self) -> bool:
        assert self.state["Running"], self.podman("logs")[-3000:]
        return False

    @property
    def state(self) -> dict[str, Any]:
        return dict(json.loads(self.podman("container", "inspect"))[0]["State"])

    @property
    def processes(self) -> list[psutil.Process]:
        """Its processes as the machine sees them, the first one first."""
        first = psutil.Process(self.state["Pid"])
        return [first, *first.children(recursive=True)]

    def stop(self) -> float:
        """End it as an operator does; return how many seconds it took."""
        began = time.monotonic()
        self.podman("stop", "--time", "20")
        return time.monotonic() - began

    @contextlib.contextmanager
    def frozen(self) -> Iterator[None]:
        """All its processes stopped in time: what a deadlock looks like from outside."""
        processes = self.processes
        try:
            for process in processes:
                process.send_signal(signal.SIGSTOP)
            yield
        finally:
            for process in processes:
                process.send_signal(signal.SIGCONT)


@contextlib.contextmanager
def running() -> Iterator[Engine]:
    """An engine in a folder with a short name: a socket's path may have 107 bytes at most."""
    with tempfile.TemporaryDirectory(prefix="vote-image-", ignore_cleanup_errors=True) as name:
        engine = Engine(Path(name))
        try:
            yield engine
        finally:
            containers.remove_all(engine.variables)
            shutil.rmtree(engine.folder / "store", ignore_errors=True)
