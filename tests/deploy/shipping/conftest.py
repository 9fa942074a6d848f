"""What these tests share: a site, set up and not started."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.deploy.shipping.site import Site


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    """One host and one store, with the shipped files."""
    with Site(tmp_path / "site") as one:
        yield one
