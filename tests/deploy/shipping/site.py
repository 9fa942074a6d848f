"""A site with one host and one store: real rsyslogd processes with the shipped files, but for paths and the port."""

import contextlib
import os
import shutil
import socket
import subprocess
from collections.abc import Mapping
from pathlib import Path

import psutil

from tests.deploy.lint.checkers import ROOT
from tests.deploy.shipping.lines import ContainerFile
from tests.stack import free_port, wait_until

KIT = ROOT / "deploy" / "logs" / "rsyslog"
STORE, HOST = "logs.example.org", "vote-1.example.org"
PATH = f"{os.environ['PATH']}:/usr/sbin"  # where Debian has rsyslogd
ENDS_WITHIN_S = 60
Changes = Mapping[str, str]


def changed(name: str, changes: Changes) -> str:
    """Return a file of the kit with texts replaced. Each must be there."""
    text = (KIT / name).read_text("utf-8")
    for old, new in changes.items():
        assert old in text, f"{name} has no {old!r}"
        text = text.replace(old, new)
    return text


def certificates(folder: Path, *names: str) -> None:
    """Make an authority and certificates with the script of the kit."""
    folder.mkdir(parents=True, exist_ok=True)
    subprocess.run([KIT / "certificates", *names], cwd=folder, check=True, capture_output=True, timeout=60)


class Process:
    """One rsyslogd. It is started again with the files of its folder as they are."""

    def __init__(self, name: str, folder: Path, command: list[str | Path]) -> None:
        self._name, self._folder, self._command = name, folder, command
        self._running: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it; it has ended before."""
        with (self._folder / "output").open("ab") as output:
            self._running = subprocess.Popen(
                self._command, stdin=subprocess.DEVNULL, stdout=output, stderr=output, env={**os.environ, "PATH": PATH}
            )

    def cpu_s(self) -> float:
        """Return the processor time it has used."""
        assert self._running
        times = psutil.Process(self._running.pid).cpu_times()
        return float(times.user + times.system)

    def stop(self) -> None:
        """End it as systemd does, and wait."""
        assert self._running
        self._running.terminate()
        self._running.wait(ENDS_WITHIN_S)

    def kill(self) -> None:
        """End it with kill -9."""
        if self._running:
            self._running.kill()
            self._running.wait()


class Site:
    """A host with containers, its shipper, and the store. Nothing runs at first."""

    def __init__(self, folder: Path, *, shipper: Changes | None = None, store: Changes | None = None) -> None:
        self.folder, self.port = folder, free_port()
        self.containers, self.files, self.days = folder / "containers", folder / "vote-up", folder / "days"
        self.keys = folder / "keys"
        certificates(self.keys, STORE, HOST)
        for path in (self.containers, self.files, self.days, folder / "host", folder / "store"):
            path.mkdir()
        self.store = self._store(store or {})
        self.shipper = self.shipper_like("host", shipper or {}, HOST, self.keys)

    def __enter__(self) -> "Site":
        return self

    def __exit__(self, *_: object) -> None:
        self.shipper.kill()
        self.store.kill()
        shutil.rmtree(self.folder)

    def start(self) -> None:
        """Start both; the store listens first."""
        self.start_store()
        self.shipper.start()

    def start_store(self) -> None:
        """Start the store and wait until it listens."""
        self.store.start()
        wait_until(self._listens, what="the store listens")

    def container(self, name: str) -> ContainerFile:
        """Add a container."""
        return ContainerFile(self.containers, name)

    def stored(self) -> list[str]:
        """Return the lines of JSON in the store; one that is being written is left out."""
        return self._lines("*.jsonl")

    def others(self) -> list[str]:
        """Return the other lines in the store."""
        return self._lines("*.other.log")

    def wait_for(self, count: int, *, within: float = 300) -> list[str]:
        """Return the lines of JSON once the store has that many different ones, or what there is at the deadline."""
        with contextlib.suppress(AssertionError):  # how many are missing says more
            wait_until(lambda: len(self.stored()) >= count and len(set(self.stored())) >= count, within=within)
        return self.stored()

    def shipper_like(self, name: str, changes: Changes, holder: str, keys: Path) -> Process:
        """Return a shipper with a folder and a certificate of its own."""
        folder = self.folder / name
        folder.mkdir(parents=True, exist_ok=True)
        own = {
            "/var/lib/docker/containers/": f"{self.containers}/",
            "/var/log/vote-up/": f"{self.files}/",
            "/var/spool/vote-logs": str(folder),
            'target="logs.example.org" port="20514"': f'target="127.0.0.1" port="{self.port}"',
            "/etc/vote-logs/ca.pem": str(keys / "ca.pem"),
            "/etc/vote-logs/own": str(keys / holder),
            "/etc/vote-logs/ship": str(KIT / "ship"),
        }
        text = changed("shipper.conf", changes)
        for old, new in own.items():
            text = text.replace(old, new)
        (folder / "conf").write_text(text, "utf-8")
        return Process(name, folder, [KIT / "ship", folder / "conf", folder, self.containers])

    def _store(self, changes: Changes) -> Process:
        folder = self.folder / "store"
        own = {
            "/var/log/vote/": f"{self.days}/",
            "/var/spool/vote-logs": str(folder),
            'port="20514"': f'port="{self.port}" address="127.0.0.1"',
            "/etc/vote-logs/ca.pem": str(self.keys / "ca.pem"),
            "/etc/vote-logs/own": str(self.keys / STORE),
        }
        text = changed("store.conf", changes)
        for old, new in own.items():
            text = text.replace(old, new)
        (folder / "conf").write_text(text, "utf-8")
        return Process("store", folder, ["rsyslogd", "-n", "-f", folder / "conf", "-i", folder / "pid"])

    def _lines(self, pattern: str) -> list[str]:
        texts = [path.read_text("utf-8", "replace") for path in sorted(self.days.glob(pattern))]
        return [text for whole in texts for text in whole[: whole.rfind("\n") + 1].split("\n") if text]

    def _listens(self) -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0
