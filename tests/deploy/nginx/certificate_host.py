"""A machine on which an operator calls `deploy/nginx/certificate`: the script, certbot's files and nginx in one folder."""

import contextlib
import os
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

from tests.deploy.nginx.acme import Acme
from tests.deploy.nginx.clients import Client
from tests.deploy.nginx.front import client_of
from tests.deploy.nginx.recording_web import RecordingWeb
from tests.deploy.nginx.site import Fault, Site, temporary_folder

NAME, EMAIL = "vote.test", "ops@vote.test"


class Host(NamedTuple):
    """One machine with nginx, not yet started, and what an operator calls there."""

    site: Site
    script: Path
    environment: Mapping[str, str]
    client: Client

    def certificate(self, *arguments: str, **more: str) -> subprocess.CompletedProcess[str]:
        """Call the script."""
        command = [str(self.script), *arguments]
        environ = {**self.environment, **more}
        return subprocess.run(
            command, env=environ, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL
        )

    def must(self, *arguments: str, **more: str) -> str:
        """Call it, and expect success. Returns what it said."""
        done = self.certificate(*arguments, **more)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout + done.stderr

    def serial(self) -> str:
        """The serial number of the certificate that nginx shows now, checked with the authority's root."""
        with self.client.connect() as one:
            return str((one.getpeercert() or {})["serialNumber"])

    @property
    def linked(self) -> str:
        return os.readlink(self.site.certificates / "current")


@contextlib.contextmanager
def host_of(authority: Acme, *faults: Fault) -> Iterator[Host]:
    """A fresh machine; `faults` break its copy of the script."""
    web = RecordingWeb()
    with temporary_folder() as folder, contextlib.closing(web):
        site = Site(folder, [web.address, web.address], name=NAME, faults=faults, http_port=authority.http_port)
        own = {
            "PATH": os.environ["PATH"],
            "CERTIFICATE_DIR": str(site.certificates),
            "ACME_WEBROOT": str(site.acme),
            "ACME_HTTP_PORT": str(site.http_port),
            "NGINX_CONF": str(site.conf),
        }
        try:
            yield Host(
                site, site.etc / "certificate", {**own, **authority.environment}, client_of(site, authority.root)
            )
        finally:
            site.stop()
