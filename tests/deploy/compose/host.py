"""A host that is set up as docs/deploy.md says: a checkout of what it needs, Docker Compose, podman behind its API."""

import contextlib
import json
import os
import shutil
import signal
import subprocess
import threading
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import psutil

from tests.deploy.compose.debian_images import FILES
from tests.deploy.image.engine import Engine
from tests.deploy.nginx.clients import Client
from tests.stack import free_port, wait_until
from vote.ops.process import die_with_parent

ROOT = Path(__file__).parents[3]
COMPOSE = ROOT / ".venv-deploy" / "bin" / "docker-compose"
NAME = "localhost"
LOOK_S = 1.0  # between two rounds of health checks
CALL_S = 300


class Ended(NamedTuple):
    """How a script ended."""

    code: int
    said: str


class Host:
    """One host. Use `running`."""

    def __init__(self, engine: Engine, folder: Path) -> None:
        self.engine, self.folder = engine, folder
        self.http_port, self.https_port = free_port(), free_port()
        shutil.copytree(ROOT / "deploy", folder / "deploy")
        for name in ("compose.yaml", "compose.test.yaml", "pyproject.toml"):
            shutil.copy(ROOT / name, folder)
        self._socket = folder / "podman.sock"
        self._is_over = threading.Event()
        self.variables = engine.variables | {
            "DOCKER_HOST": f"unix://{self._socket}",
            "COMPOSE": str(COMPOSE),
            "COMPOSE_FILE": "compose.yaml:compose.test.yaml",
            "HTTP_PORT": str(self.http_port),
            "HTTPS_PORT": str(self.https_port),
            "PATH": f"{FILES}:{os.environ['PATH']}",
        }

    @contextlib.contextmanager
    def served(self) -> Iterator[None]:
        """podman's API, and somebody who runs the health checks: Docker does that itself, podman leaves it to systemd."""
        with (self.folder / "podman.log").open("wb") as log:
            process = subprocess.Popen(
                ["podman", "system", "service", "--time", "0", f"unix://{self._socket}"],
                env={**os.environ, **self.engine.variables},
                stdout=log,
                stderr=log,
                preexec_fn=partial(die_with_parent, os.getpid(), signal.SIGKILL),  # noqa: PLW1509
            )
            thread = threading.Thread(target=self._check_health, daemon=True)
            try:
                wait_until(self._socket.exists, what="podman answers")
                thread.start()
                yield
            finally:
                self._is_over.set()
                if thread.is_alive():
                    thread.join(60)
                self.compose("down", "--volumes", "--remove-orphans", "--timeout", "5", "--profile", "*", check=False)
                process.terminate()
                process.wait(20)
                self._end_monitors()

    def _end_monitors(self) -> None:
        """podman keeps a monitor of each `exec` of its API for five minutes after its end."""
        for process in psutil.process_iter(["name", "cmdline"]):
            if process.info["name"] == "conmon" and str(self.engine.folder) in " ".join(process.info["cmdline"] or ()):
                with contextlib.suppress(psutil.NoSuchProcess):
                    process.kill()

    def _check_health(self) -> None:
        """Once it is well a container is asked no more: each question costs a tenth of a second of a core."""
        while not self._is_over.wait(LOOK_S):
            listed = self.engine.call("podman", "ps", "--format", "{{.ID}} {{.Status}}", check=False).stdout
            for line in listed.splitlines():
                if not self._is_over.is_set() and "(healthy)" not in line:
                    self.engine.call("podman", "healthcheck", "run", line.split()[0], check=False)

    # --- what an operator does ------------------------------------------------------------------------------------------

    def script(self, name: str, *arguments: str, **variables: str) -> Ended:
        """Run a script of deploy/compose to its end, from another folder than its own."""
        return self._run([str(self.folder / "deploy/compose" / name), *arguments], cwd="/", **variables)

    def shell(self, command: str) -> Ended:
        """Run a line of docs/deploy.md in the host's folder, with the name and the version that this host has."""
        for written, meant in {
            "https://vote.example.org": f"https://{NAME}:{self.https_port}",
            "vote.example.org": NAME,
            " 0.2.1": " two",
        }.items():
            command = command.replace(written, meant)
        return self._run(["sh", "-ec", command], cwd=str(self.folder), CURL_CA_BUNDLE=str(self.folder / "site.pem"))

    def cut_off(self, name: str, *arguments: str, when: Callable[[], bool]) -> None:
        """Run a script and kill it, with all that it has started, at some moment."""
        process = subprocess.Popen(
            [self.folder / "deploy/compose" / name, *arguments],
            env={**os.environ, **self.variables},
            stdin=subprocess.DEVNULL,
            start_new_session=True,
        )
        try:
            wait_until(when, what=f"{name} is half done", within=CALL_S)
        finally:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()

    def _run(self, command: list[str], cwd: str, **variables: str) -> Ended:
        done = subprocess.run(
            command,
            cwd=cwd,
            env={**os.environ, **self.variables, **variables},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=CALL_S,
            check=False,
        )
        return Ended(done.returncode, done.stdout)

    def compose(self, *arguments: str, check: bool = True, text: str = "") -> str:
        """A command of Docker Compose; what it says."""
        profile = []
        if "--profile" in arguments:
            at = arguments.index("--profile")
            profile, arguments = list(arguments[at : at + 2]), arguments[:at] + arguments[at + 2 :]
        done = subprocess.run(
            [COMPOSE, *profile, *arguments],
            cwd=self.folder,
            env={**os.environ, **self.variables},
            input=text,
            capture_output=True,
            text=True,
            timeout=CALL_S,
            check=False,
        )
        assert not check or done.returncode == 0, f"{arguments}: {done.stderr[-3000:]}"
        return done.stdout

    def exec(self, service: str, *command: str) -> str:
        return self.compose("exec", "-T", service, *command)

    def vote(self, *words: str, text: str = "") -> str:
        """A `vote` command as the owner of the database."""
        return self.compose("run", "--rm", "-T", "--no-deps", "migrate", "vote", *words, text=text)

    # --- what is there --------------------------------------------------------------------------------------------------

    def known(self, name: str) -> str:
        """A setting in .env."""
        lines = dict(
            line.split("=", 1) for line in (self.folder / ".env").read_text("utf-8").splitlines() if "=" in line
        )
        return lines.get(name, "")

    def containers(self) -> dict[str, dict[str, Any]]:
        """Every container that runs, by service."""
        names = self.engine.call("podman", "ps", "--quiet").stdout.split()
        known = json.loads(self.engine.call("podman", "container", "inspect", *names).stdout) if names else []
        return {one["Config"]["Labels"]["com.docker.compose.service"]: one for one in known}

    def container(self, service: str) -> dict[str, Any]:
        return self.containers()[service]

    def volume(self, name: str) -> Path:
        """The folder of a volume, on this machine."""
        return Path(
            self.engine.call(
                "podman", "volume", "inspect", "--format", "{{.Mountpoint}}", f"vote_{name}"
            ).stdout.strip()
        )

    @property
    def client(self) -> Client:
        """A client that trusts the site's own certificate."""
        ca = self.folder / "site.pem"
        if not ca.exists():
            ca.write_text(self.exec("nginx", "cat", "/etc/letsencrypt/current/fullchain.pem"), "utf-8")
        return Client(self.https_port, self.http_port, NAME, ca)

    def kill(self, service: str) -> None:
        """kill -9 of a container's first process; the engine restarts the container."""
        os.kill(self.container(service)["State"]["Pid"], signal.SIGKILL)


@contextlib.contextmanager
def running(engine: Engine) -> Iterator[Host]:
    """A host on which nothing is set up yet."""
    folder = engine.folder / "host"
    folder.mkdir()
    host = Host(engine, folder)
    with host.served():
        yield host
