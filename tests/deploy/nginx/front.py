"""A site before two recording webs: what most checks ask for."""

import contextlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from tests.deploy.nginx.authority import WebAuthority
from tests.deploy.nginx.clients import Client
from tests.deploy.nginx.recording_web import RecordingWeb, Seen
from tests.deploy.nginx.site import NAME, Fault, Site, running


class Front(NamedTuple):
    """nginx, what stands behind it, and how to reach it."""

    site: Site
    webs: tuple[RecordingWeb, RecordingWeb]
    client: Client

    @property
    def seen(self) -> list[Seen]:
        """What has arrived at either web."""
        return [seen for web in self.webs for seen in web.seen]

    def forget(self) -> None:
        """Empty the notes of both webs."""
        for web in self.webs:
            web.seen.clear()


def client_of(site: Site, ca: Path) -> Client:
    """A client that knows this site."""
    return Client(site.port, site.http_port, site.name, ca)


@contextlib.contextmanager
def front_of(authority: WebAuthority, *faults: Fault) -> Iterator[Front]:
    """The shipped files, or a broken copy of them, before two webs."""
    certificate = authority.issue(NAME)
    with contextlib.ExitStack() as stack:
        webs = (RecordingWeb(), RecordingWeb())
        for web in webs:
            stack.callback(web.close)
        addresses: Sequence[str] = [web.address for web in webs]
        site = stack.enter_context(running(certificate, addresses, faults=faults))
        yield Front(site, webs, client_of(site, authority.ca))
