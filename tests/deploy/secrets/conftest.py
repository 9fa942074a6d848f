"""What these tests share: an authority for certificates, and managers that have nothing stored when a test begins."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.certificates import Authority
from tests.deploy.secrets import aws as aws_server
from tests.deploy.secrets import openbao
from tests.deploy.secrets.aws import Aws
from tests.deploy.secrets.key_vault import KeyVault
from tests.deploy.secrets.openbao import OpenBao
from vote.secret_store import reading


@pytest.fixture(scope="session")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    """Whoever signs the certificates of this run."""
    return Authority(tmp_path_factory.mktemp("authority"), "tests")


@pytest.fixture(scope="session")
def started_bao(authority: Authority, tmp_path_factory: pytest.TempPathFactory) -> Iterator[OpenBao]:
    """The OpenBao of this run: to make one takes two seconds."""
    with openbao.server(tmp_path_factory.mktemp("bao"), authority) as one:
        yield one


@pytest.fixture
def bao(started_bao: OpenBao) -> OpenBao:
    """OpenBao, open, with nothing stored."""
    started_bao.recover()
    return started_bao


@pytest.fixture(scope="session")
def started_aws(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Aws]:
    """The moto of this run."""
    with aws_server.server(tmp_path_factory.mktemp("aws")) as one:
        yield one


@pytest.fixture
def aws(started_aws: Aws, monkeypatch: pytest.MonkeyPatch) -> Aws:
    """A region without secrets, and a process that is logged in."""
    for name, value in started_aws.login.items():
        monkeypatch.setenv(name, value)
    started_aws.begin()
    return started_aws


@pytest.fixture
def empty_vault(authority: Authority, monkeypatch: pytest.MonkeyPatch) -> Iterator[KeyVault]:
    """The stand-in for a key vault, with nothing stored, and a process that is logged in."""
    one = KeyVault(authority)
    for name, value in one.login.items():
        monkeypatch.setenv(name, value)
    with one.running():
        yield one


@pytest.fixture(autouse=True)
def _nothing_is_known(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No reading of an earlier test is kept in this process, and no `.env` is read."""
    monkeypatch.setattr(reading, "_stores", {})
    monkeypatch.setattr(reading, "_kept", {})
    monkeypatch.setattr(reading, "PAUSE_S", 0.05)
    monkeypatch.chdir(tmp_path)
