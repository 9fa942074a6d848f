"""What these tests share: an authority for certificates, and a fresh nginx before two recording webs."""

from collections.abc import Iterator

import pytest

from tests.deploy.nginx.acme import Acme, acme
from tests.deploy.nginx.authority import WebAuthority
from tests.deploy.nginx.certificate_host import Host, host_of
from tests.deploy.nginx.front import Front, front_of


@pytest.fixture(scope="session")
def authority(tmp_path_factory: pytest.TempPathFactory) -> WebAuthority:
    """Whoever signs the certificates of this run."""
    return WebAuthority(tmp_path_factory.mktemp("authority"))


@pytest.fixture
def front(authority: WebAuthority) -> Iterator[Front]:
    """The shipped files before two webs."""
    with front_of(authority) as one:
        yield one


@pytest.fixture(scope="session")
def authority_of_names(tmp_path_factory: pytest.TempPathFactory, authority: WebAuthority) -> Iterator[Acme]:
    """A running ACME authority."""
    with acme(tmp_path_factory.mktemp("acme"), authority) as one:
        yield one


@pytest.fixture
def host(authority_of_names: Acme) -> Iterator[Host]:
    """A machine without a certificate."""
    with host_of(authority_of_names) as one:
        yield one
