"""What these tests share: an authority for the certificates that `nginx -t` reads."""

import pytest

from tests.certificates import Authority


@pytest.fixture(scope="session")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    """Whoever signs the test certificate."""
    return Authority(tmp_path_factory.mktemp("authority"), "tests")
