"""upgrade and rollback while people vote, and what happens when a part dies."""

import json
import shutil
import time
from collections.abc import Callable

import pytest

from tests.deploy.compose.conftest import FIRST, SECOND, House, note
from tests.deploy.compose.page import SCRIPTS
from tests.stack import wait_until

pytestmark = pytest.mark.usefixtures("versions")

REPLACED = ("web-1", "web-2", "worker-1", "worker-2")

Record = Callable[[str, object], None]


def everything_is_on(house: House, image: str) -> bool:
    wanted = house.images.engine.inspect(image)["Id"]
    return all(house.host.container(service)["Image"] == wanted for service in REPLACED)


def test_an_upgrade_fails_nobody(house: House, record_property: Record) -> None:
    competition = house.open_competition()
    with house.voting(competition) as load:
        ended = house.host.shell(SCRIPTS["upgrade"])
    assert ended.code == 0, ended.said
    assert everything_is_on(house, SECOND)
    assert house.host.known("VOTE_IMAGE") != house.host.known("BEFORE_VOTE_IMAGE")
    note(record_property, load.counts)
    wait_until(lambda: house.total(competition) == len(house.tokens), what="everybody is counted")


def test_the_same_version_again_changes_nothing(house: House) -> None:
    before = {name: one["Id"] for name, one in house.host.containers().items()}

    ended = house.host.script("upgrade", "two")

    assert (ended.code, "in production already" in ended.said) == (0, True), ended.said
    assert {name: one["Id"] for name, one in house.host.containers().items()} == before


def test_a_version_that_never_gets_ready_goes_back(house: House, record_property: Record) -> None:
    competition = house.open_competition()
    with house.voting(competition) as load:
        ended = house.host.script("upgrade", "broken", READY_TIMEOUT_S="20")
    assert ended.code == 1, ended.said
    assert "everything is back" in ended.said
    assert everything_is_on(house, SECOND)
    note(record_property, load.counts)


def test_a_version_that_is_not_there_changes_nothing(house: House) -> None:
    ended = house.host.script("upgrade", "nowhere")

    assert (ended.code, "cannot be fetched. Nothing was changed" in ended.said) == (1, True), ended.said
    assert everything_is_on(house, SECOND)


def test_a_rollback_fails_nobody(house: House, record_property: Record) -> None:
    competition = house.open_competition()
    with house.voting(competition) as load:
        ended = house.host.shell(SCRIPTS["rollback"])
    assert ended.code == 0, ended.said
    assert everything_is_on(house, FIRST)
    note(record_property, load.counts)


def test_by_digest(house: House) -> None:
    ended = house.host.script("upgrade", house.images.engine.inspect(SECOND)["Digest"])

    assert ended.code == 0, ended.said
    assert everything_is_on(house, SECOND)
    assert "@sha256:" in house.host.known("VOTE_IMAGE")


def test_when_the_second_web_never_gets_ready_the_first_goes_on_serving(house: House, record_property: Record) -> None:
    """The way back begins with the one that does not serve."""
    competition = house.open_competition()
    with house.voting(competition) as load:
        ended = house.host.script("upgrade", "halfway", READY_TIMEOUT_S="20")
    assert (ended.code, "everything is back" in ended.said) == (1, True), ended.said
    assert everything_is_on(house, SECOND)
    note(record_property, load.counts)


def test_what_was_cut_off_goes_on_in_the_same_direction(house: House, record_property: Record) -> None:
    """An upgrade, then its rollback: each killed when one web is replaced, and run again."""
    competition = house.open_competition()
    with house.voting(competition) as load:
        for script, arguments, image in (("upgrade", ["one"], FIRST), ("rollback", [], SECOND)):
            house.host.cut_off(script, *arguments, when=lambda image=image: _runs_somewhere(house, image))
            ended = house.host.script(script, *arguments)
            assert ended.code == 0, ended.said
            assert everything_is_on(house, image), ended.said
            assert house.host.known("UNFINISHED") == ""
    note(record_property, load.counts)


def _runs_somewhere(house: House, image: str) -> bool:
    wanted, running = house.images.engine.inspect(image)["Id"], house.host.containers()
    return any(running[web]["Image"] == wanted for web in ("web-1", "web-2") if web in running)


@pytest.mark.parametrize("service", ["web-1", "worker-1", "nginx", "cache", "db-replica", "backup", "db", "log"])
def test_a_part_that_is_killed_comes_back_and_no_vote_is_lost(house: House, service: str) -> None:
    competition = house.open_competition()
    accepted = house.tokens[: len(house.tokens) // 2]
    assert {house.cast(competition, token).status for token in accepted} <= {200, 202}
    before = house.host.container(service)["State"]["Pid"]

    house.host.kill(service)

    wait_until(lambda: _is_back(house, service, before), what=f"{service} is back", within=90)
    for token in house.tokens:
        wait_until(lambda token=token: _is_accepted(house, competition, token), what="votes are accepted", within=60)
    wait_until(lambda: house.total(competition) == len(house.tokens), what="everybody is counted", within=60)


def _is_back(house: House, service: str, before: int) -> bool:
    one = house.host.containers().get(service)
    return one is not None and one["State"]["Pid"] not in (0, before)


def _is_accepted(house: House, competition: int, token: str) -> bool:
    try:
        return house.cast(competition, token).status in (200, 202)
    except (OSError, json.JSONDecodeError):
        return False


def test_a_database_that_is_destroyed_is_restored_and_no_vote_is_lost(house: House, record_property: Record) -> None:
    """Votes are accepted all the while: before the loss, while there is no database, and after it."""
    competition, third = house.open_competition(), len(house.tokens) // 3
    wait_until(lambda: _has_backup(house), what="a backup is proved", within=120)
    early, meanwhile, late = house.tokens[:third], house.tokens[third : 2 * third], house.tokens[2 * third :]
    assert {house.cast(competition, token).status for token in early} <= {200, 202}
    wait_until(lambda: house.total(competition) == len(early), what="they are recorded")
    house.host.compose("stop", "db", "db-replica")
    shutil.rmtree(house.host.volume("db") / "pgdata")
    assert {house.cast(competition, token).status for token in meanwhile} == {202}

    began = time.monotonic()
    ended = house.host.shell(SCRIPTS["restore"])

    assert ended.code == 0, ended.said
    record_property("restore_s", round(time.monotonic() - began, 1))
    for token in late:
        wait_until(lambda token=token: _is_accepted(house, competition, token), what="votes are accepted", within=60)
    wait_until(lambda: house.total(competition) == len(house.tokens), what="everybody is counted", within=60)


def _has_backup(house: House) -> bool:
    house.host.compose("exec", "-T", "backup", "vote", "backup", "daily", check=False)
    return "intact" in house.host.compose("exec", "-T", "backup", "vote", "backup", "verify", check=False)


def test_a_restore_without_a_backup_of_that_time_changes_nothing(house: House) -> None:
    ended = house.host.script("restore", "--to-time", "2020-01-01T00:00:00Z")

    assert (ended.code, "No backup is older than" in ended.said) == (1, True), ended.said
    assert house.cast(house.competition, house.tokens[0]).status in (200, 202)


def test_an_upgrade_that_asks_nobody_whether_it_is_ready_is_seen(house: House) -> None:
    """The planted fault, and the last test: it leaves the host on the version that never gets ready."""
    path = house.host.folder / "deploy/compose/prelude.sh"
    text = path.read_text("utf-8")
    names = ("web_is_ready", "web_is_reached", "another_serves")
    asks = [f'until_true "$READY_S" {name} "$web"' for name in names]
    assert all(ask in text for ask in asks)
    for ask in asks:
        text = text.replace(ask, "true")
    path.write_text(text, "utf-8")
    competition = house.open_competition()

    with house.voting(competition) as load:
        ended = house.host.script("upgrade", "broken", READY_TIMEOUT_S="5")

    assert load.counts.failed != [], ended.said
