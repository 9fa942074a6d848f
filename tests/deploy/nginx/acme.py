"""A real ACME authority on loopback: pebble, and its DNS server, which says 127.0.0.1 to every question."""

import contextlib
import json
import os
import shutil
import socket
import ssl
import subprocess
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from tests.deploy.nginx.authority import WebAuthority
from tests.deploy.nginx.ports import own_port
from tests.stack import wait_until

PROGRAMS = ("pebble", "pebble-challtestsrv", "certbot")
QUICKLY = {"PEBBLE_VA_NOSLEEP": "1", "PEBBLE_WFE_NONCEREJECT": "0"}  # pebble waits and refuses at random by itself


class Acme:
    """The authority. `http_port` is where it looks for challenges; `root` is what its certificates are checked with."""

    def __init__(self, folder: Path, known_by: WebAuthority) -> None:
        missing = [program for program in PROGRAMS if shutil.which(program) is None]
        assert not missing, f"{', '.join(missing)} is not installed (Debian: apt-get install pebble certbot)"
        self.http_port, self._port, self._management, self._dns = own_port(), own_port(), own_port(), own_port()
        self._known_by, self._folder = known_by, folder
        self.root = folder / "root.pem"

    @property
    def environment(self) -> Mapping[str, str]:
        """How `deploy/nginx/certificate` finds the authority and trusts its own certificate."""
        return {"ACME_SERVER": f"https://localhost:{self._port}/dir", "REQUESTS_CA_BUNDLE": str(self._known_by.ca)}

    def commands(self) -> Sequence[list[str]]:
        """The two programs."""
        made = self._known_by.issue("localhost")
        certificate, key = (shutil.copy(path, self._folder / f"acme-{path.name}") for path in made)
        said = {
            "listenAddress": f"127.0.0.1:{self._port}",
            "managementListenAddress": f"127.0.0.1:{self._management}",
            "certificate": str(certificate),
            "privateKey": str(key),
            "httpPort": self.http_port,
            "tlsPort": own_port(),
            "ocspResponderURL": "",
            "externalAccountBindingRequired": False,
        }
        config = self._folder / "pebble.json"
        config.write_text(json.dumps({"pebble": said}))
        dns = [
            "pebble-challtestsrv",
            "-defaultIPv4",
            "127.0.0.1",
            "-defaultIPv6",
            "",
            "-dns01",
            f"127.0.0.1:{self._dns}",
        ]
        dns += ["-http01", "", "-https01", "", "-tlsalpn01", "", "-management", f"127.0.0.1:{own_port()}"]
        return dns, ["pebble", "-config", str(config), "-dnsserver", f"127.0.0.1:{self._dns}"]

    def wait_ready(self) -> None:
        """Return when it answers, with its root in a file."""
        trusted = ssl.create_default_context(cafile=str(self._known_by.ca))

        def root() -> bytes:
            with contextlib.suppress(OSError):
                socket.create_connection(("127.0.0.1", self._port), 1).close()
                opener = urllib.request.build_opener(
                    urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=trusted)
                )
                with opener.open(f"https://localhost:{self._management}/roots/0", timeout=5) as given:
                    found: bytes = given.read()
                    return found
            return b""

        self.root.write_bytes(wait_until(root, what="pebble answers"))


@contextlib.contextmanager
def acme(folder: Path, known_by: WebAuthority) -> Iterator[Acme]:
    """An authority that issues, ended afterwards."""
    one = Acme(folder, known_by)
    processes = []
    try:
        with (folder / "pebble.log").open("wb") as log:
            for command in one.commands():
                follow = ["setpriv", "--pdeathsig", "KILL", *command]
                process = subprocess.Popen(follow, stdout=log, stderr=log, env={**os.environ, **QUICKLY})
                processes.append(process)
        one.wait_ready()
        yield one
    finally:
        for process in processes:
            process.kill()
            process.wait()
