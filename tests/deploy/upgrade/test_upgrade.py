"""The upgrade from the release before to this one, and back, under load."""

from collections.abc import Callable

from tests.deploy.upgrade.expansion import expand
from tests.deploy.upgrade.house import House
from tests.deploy.upgrade.release_before import ReleaseBefore
from tests.deploy.upgrade.releases import Release
from tests.deploy.upgrade.sequence import Upgrade


def test_an_upgrade_and_its_rollback_fail_nobody(
    before: ReleaseBefore,
    house: House,
    old: Release,
    new: Release,
    record_property: Callable[[str, object], None],
) -> None:
    added = expand(old, new)
    record_property("release_before", str(before))
    record_property("schema", f"{old.newest} to {new.newest}, {added}")
    for release in (old, new):
        release.check_code(house.settings)
    upgrade = Upgrade(house, old, new)

    try:
        counts = upgrade.run()
    finally:
        for stage in upgrade.stages:
            record_property(stage.name, stage.figures)

    record_property("counts", counts)
