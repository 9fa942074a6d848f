"""The shipped files of deploy/nginx in a real nginx, with nothing but paths, ports and addresses replaced."""

import contextlib
import json
import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import psutil

from tests.certificates import Certificate
from tests.deploy.nginx.ports import own_port
from tests.stack import wait_until

SHIPPED = Path(__file__).parents[3] / "deploy" / "nginx"
NAME = "localhost"
STOP_S = 10


class Fault(NamedTuple):
    """A line of a shipped file, and what it is broken into."""

    file: str
    old: str
    new: str


class Site:
    """One nginx. Use `running`."""

    def __init__(
        self,
        folder: Path,
        webs: Sequence[str],
        *,
        name: str = NAME,
        faults: Sequence[Fault] = (),
        http_port: int | None = None,
        port: int | None = None,
    ) -> None:
        self.folder, self.name = folder, name
        self.http_port, self.port, self.health_port = http_port or own_port(), port or own_port(), own_port()
        self.etc, self.acme = folder / "etc/nginx", folder / "var/www/acme"
        self.certificates = folder / "etc/letsencrypt"
        self.conf = self.etc / "nginx.conf"
        self.rights: Sequence[str] = ()  # options of setpriv: what nginx may do
        self._master: subprocess.Popen[bytes] | None = None
        for made in ("var/log/nginx", "var/cache/nginx", "var/www/acme", "etc/letsencrypt", "run"):
            (folder / made).mkdir(parents=True)
        shutil.copytree(SHIPPED, self.etc)
        for fault in faults:
            self._replace(self.etc / fault.file, fault.old, fault.new)
        self._render()
        self._move_paths()
        self._move_addresses(webs)

    def _render(self) -> None:
        """As the official image does at start, and deploy/nginx/README.md says for elsewhere."""
        conf_d = self.etc / "conf.d"
        conf_d.mkdir()
        with (self.etc / "templates/vote.conf.template").open() as template, (conf_d / "vote.conf").open("w") as made:
            environ = {**os.environ, "SERVER_NAME": self.name}
            subprocess.run(["envsubst", "${SERVER_NAME}"], stdin=template, stdout=made, env=environ, check=True)

    def _move_paths(self) -> None:
        for path in self._files():
            text = path.read_text("utf-8")
            for place in (
                "/etc/nginx/",
                "/etc/letsencrypt/",
                "/var/www/acme",
                "/var/log/nginx/",
                "/var/cache/nginx/",
                "/run/",
            ):
                text = text.replace(f" {place}", f" {self.folder}{place}")
            path.write_text(text, "utf-8")

    def _move_addresses(self, webs: Sequence[str]) -> None:
        site, health = self.etc / "conf.d/vote.conf", self.etc / "snippets/health.conf"
        self._replace(site, "listen 80 ", f"listen 127.0.0.1:{self.http_port} ")
        self._replace(site, "listen 443 ", f"listen 127.0.0.1:{self.port} ")
        self._replace(health, "127.0.0.1:8081", f"127.0.0.1:{self.health_port}")
        for number, address in enumerate(webs, 1):
            self._replace(self.web_file(number), f"172.29.8.1{number}:8080", address)

    @staticmethod
    def _replace(path: Path, old: str, new: str) -> None:
        text = path.read_text("utf-8")
        assert old in text, f"{path.name} no longer holds {old!r}"
        path.write_text(text.replace(old, new), "utf-8")

    def _files(self) -> list[Path]:
        return [self.conf, *sorted(self.etc.glob("snippets/*.conf")), *sorted(self.etc.glob("conf.d/*.conf"))]

    def web_file(self, number: int) -> Path:
        """The file with one web's line."""
        return self.etc / f"upstream/web-{number}.conf"

    def use(self, certificate: Certificate) -> None:
        """Put a certificate where nginx reads it."""
        current = self.certificates / "current"
        current.mkdir()
        shutil.copy(certificate.certificate, current / "fullchain.pem")
        shutil.copy(certificate.key, current / "privkey.pem")

    def nginx(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Call nginx on this configuration."""
        command = ["setpriv", *self.rights, "nginx", "-c", str(self.conf), *arguments]
        return subprocess.run(command, capture_output=True, text=True, check=False)

    def start(self) -> None:
        """Start it; return when it answers."""
        tested = self.nginx("-t")
        assert tested.returncode == 0, tested.stderr
        # When this process dies, the kernel tells nginx to end: a master that is killed leaves its workers behind.
        command = ["setpriv", "--pdeathsig", "TERM", *self.rights]
        command += ["nginx", "-c", str(self.conf), "-g", "daemon off;"]
        environ = {**os.environ, "TZ": "UTC"}  # as in a container, and as README.md says for elsewhere
        self._master = subprocess.Popen(command, stderr=subprocess.DEVNULL, env=environ)
        wait_until(lambda: (self.folder / "run/nginx.pid").exists() and self.workers(), what="nginx has workers")

    def stop(self) -> None:
        """End it at once, open sockets too."""
        if self._master is None:
            return
        self._master.send_signal(signal.SIGTERM)
        try:
            self._master.wait(STOP_S)
        except subprocess.TimeoutExpired:
            for worker in self.workers():
                worker.kill()
            self._master.kill()
            self._master.wait()

    def workers(self) -> list[psutil.Process]:
        """The processes that take connections now, without those that only finish what is open."""
        assert self._master is not None
        with contextlib.suppress(psutil.NoSuchProcess):
            children = psutil.Process(self._master.pid).children()
            return [child for child in children if _title(child) == "nginx: worker process"]
        return []

    def reload(self) -> None:
        """Reload the configuration; return when only new workers take connections."""
        before = {worker.pid for worker in self.workers()}
        done = self.nginx("-s", "reload")
        assert done.returncode == 0, done.stderr
        self.wait_for_reload(before)

    def wait_for_reload(self, before: set[int]) -> None:
        """Return when none of these workers takes connections any more."""
        wait_until(lambda: (now := {w.pid for w in self.workers()}) and not now & before, what="nginx has new workers")

    def lines(self) -> list[dict[str, Any]]:
        """The access log."""
        return [json.loads(line) for line in self.access_log.read_text("utf-8").splitlines()]

    @property
    def access_log(self) -> Path:
        return self.folder / "var/log/nginx/access.log"

    @property
    def error_log(self) -> Path:
        return self.folder / "var/log/nginx/error.log"


def _title(process: psutil.Process) -> str:
    with contextlib.suppress(psutil.NoSuchProcess, psutil.ZombieProcess):
        return " ".join(process.cmdline()).strip()
    return ""


@contextlib.contextmanager
def temporary_folder() -> Iterator[Path]:
    """A folder that nginx's workers, who are nobody, may enter; pytest's own are closed to them."""
    with tempfile.TemporaryDirectory(prefix="vote-nginx-") as name:
        folder = Path(name)
        folder.chmod(0o755)
        yield folder


@contextlib.contextmanager
def running(
    certificate: Certificate, webs: Sequence[str], *, faults: Sequence[Fault] = (), port: int | None = None
) -> Iterator[Site]:
    """A site that answers, ended afterwards."""
    with temporary_folder() as folder:
        site = Site(folder, webs, faults=faults, port=port)
        site.use(certificate)
        try:
            site.start()
            yield site
        finally:
            site.stop()
