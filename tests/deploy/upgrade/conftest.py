"""What these tests share: the release before in an environment of its own, and databases with its schema."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from tests.conftest import copy_of, emptied_log, environment_of, in_database
from tests.deploy.upgrade import release_before, releases
from tests.deploy.upgrade.house import ROLES, House
from tests.deploy.upgrade.release_before import ReleaseBefore
from tests.deploy.upgrade.releases import Release
from tests.servers import Pair
from tests.unit.tree import ROOT

TEMPLATE = "vote_before"


@pytest.fixture(scope="session")
def before() -> ReleaseBefore:
    """Which commit the release before is."""
    return release_before.find(ROOT)


@pytest.fixture(scope="session")
def old(before: ReleaseBefore, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Release]:
    """The release before, installed."""
    folder = tmp_path_factory.mktemp("before") / "code"
    release_before.extract(ROOT, before.commit, folder)
    yield releases.installed(folder)
    shutil.rmtree(folder)  # its environment has 300 MB, and pytest keeps folders


@pytest.fixture
def new(tmp_path: Path) -> Release:
    """This release; migrations can be added to it."""
    return releases.of_this_tree(tmp_path / "this")


@pytest.fixture(scope="session")
def old_template(servers: Pair, old: Release, tmp_path_factory: pytest.TempPathFactory) -> str:
    """A database that the release before has made."""
    with psycopg.connect(servers.owner_url, autocommit=True) as owner:
        owner.execute(f"CREATE DATABASE {TEMPLATE}")
    url = in_database(servers.owner_url, TEMPLATE)
    done = old.run(environment_of(url, servers.redis_url, tmp_path_factory.mktemp("template")), "migrate")
    assert done.returncode == 0, done.stdout + done.stderr
    servers.let_in(*ROLES)
    return TEMPLATE


@pytest.fixture
def house(servers: Pair, old: Release, old_template: str, tmp_path: Path) -> Iterator[House]:
    """Everything runs the release before."""
    folder = tmp_path / "house"
    folder.mkdir()
    with (
        copy_of(servers, old_template) as url,
        House(servers, url, emptied_log(servers), folder).running(old) as running,
    ):
        yield running
