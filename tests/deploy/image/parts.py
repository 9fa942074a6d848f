"""Parts of vote-app in containers, as production runs them, on the servers of this test process."""

import contextlib
import secrets
from collections.abc import Iterator
from pathlib import Path

from tests.deploy.image.conftest import Images
from tests.deploy.image.engine import Container
from tests.servers import Pair
from tests.stack import free_port

NOT_FOR_CONTAINERS = ("PATH", "PYTHONPATH", "VOTE_HOME", "WEB_CONCURRENCY")


class House:
    """What a web and a worker need: the images, the sockets of the stores, the settings as files and variables."""

    def __init__(self, images: Images, servers: Pair, environment: dict[str, str], folder: Path) -> None:
        self.images, self._sockets = images, servers.room.sockets
        self._folder = folder
        folder.mkdir(mode=0o755)
        open_sockets(servers)
        given = {name: value for name, value in environment.items() if name not in NOT_FOR_CONTAINERS}
        self.settings = {f"{name}_FILE": self.secret(name, value) for name, value in given.items()}
        self.settings |= {"PUBLIC_URL": "https://vote.example.org", "WEB_CONCURRENCY": "1"}
        self.signing = {"CHECKPOINT_KEY_FILE": self.secret("CHECKPOINT_KEY", secrets.token_urlsafe(32))}

    def secret(self, name: str, value: str) -> str:
        """Write a file that the account of the container may read; return its path there."""
        path = self._folder / name
        path.write_text(value, "utf-8")
        path.chmod(0o444)
        return f"/run/secrets/{name}"

    @property
    def mounts(self) -> list[str]:
        return ["--volume", f"{self._sockets}:{self._sockets}", "--volume", f"{self._folder}:/run/secrets:ro"]

    @contextlib.contextmanager
    def web(self, port: int, *options: str, image: str | None = None) -> Iterator[Container]:
        """A web on a port of this machine's loopback."""
        own = {"HOST": "127.0.0.1", "PORT": str(port), "METRICS_PORT": str(port)} if "host" in options else {}
        publish = [] if own else ["--publish", f"127.0.0.1:{port}:8080"]
        how = [*self.mounts, *publish, *options]
        with self.images.engine.container(image or self.images.production, *how, environ=self.settings | own) as one:
            yield one

    @contextlib.contextmanager
    def worker(self) -> Iterator[Container]:
        """A worker; it needs no network but its own loopback."""
        with self.images.engine.container(
            self.images.production,
            *self.mounts,
            *("--network", "none"),
            environ=self.settings | self.signing,
            command=["vote", "worker"],
        ) as one:
            yield one


def open_sockets(pair: Pair) -> None:
    """Let the account of a container, 1000, connect to the sockets of these servers."""
    pair.room.sockets.chmod(0o755)
    for path in pair.room.sockets.iterdir():
        if path.is_socket():
            path.chmod(0o777)


__all__ = ["House", "free_port", "open_sockets"]
