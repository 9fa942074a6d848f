"""The upgrade test can fail: what breaks the rules of expand/contract turns it red, in the stage in which it hurts."""

from typing import NamedTuple

import psycopg
import pytest

from tests.deploy.upgrade.house import House
from tests.deploy.upgrade.releases import Release
from tests.deploy.upgrade.sequence import Upgrade
from tests.deploy.upgrade.traffic import REGISTER_EVERY, Traffic

HOLD_VOTES = REGISTER_EVERY + 200  # somebody registers in each stage
RECORDED_WITHIN_S = 8.0


class Fault(NamedTuple):
    """A migration that old code does not survive, and what is seen."""

    sql: str
    seen: str


CONTRACTS_TOO_EARLY = {
    "a column that pages read is dropped": Fault(
        "ALTER TABLE competitions DROP COLUMN description;", "requests failed"
    ),
    "a column that workers write is renamed": Fault(
        "ALTER TABLE ballots RENAME COLUMN receipt TO code;", "is recorded"
    ),
    "a new column must be filled": Fault(
        "ALTER TABLE users ADD COLUMN planted text NOT NULL DEFAULT '';\n"
        "ALTER TABLE users ALTER COLUMN planted DROP DEFAULT;",
        "requests failed",
    ),
}


def short(house: House, old: Release, new: Release) -> Upgrade:
    """The same with shorter stages."""
    return Upgrade(house, old, new, hold_votes=HOLD_VOTES, recorded_within_s=RECORDED_WITHIN_S)


@pytest.mark.parametrize("fault", CONTRACTS_TOO_EARLY.values(), ids=CONTRACTS_TOO_EARLY)
def test_a_schema_on_which_old_code_does_not_run_is_seen(
    house: House, old: Release, new: Release, fault: Fault
) -> None:
    new.add_migration("planted", fault.sql)

    with pytest.raises(AssertionError, match=rf"old code, new schema: .*{fault.seen}"):
        short(house, old, new).run()


def test_new_code_that_writes_what_old_code_cannot_read_is_seen(house: House, old: Release, new: Release) -> None:
    """It reads both; but while it replaces the old code, and after a rollback, old code meets what new code wrote."""
    new.add_migration("planted", "CREATE TABLE planted ();")
    for path, before, after in (
        ("vote/ballotlog/box.lua", "{ 'ballot', id,", "{ 'cast', id,"),
        ("vote/ballotlog/entries.py", 'kind == "ballot"', 'kind in ("ballot", "cast")'),
    ):
        text = (new.folder / path).read_text("utf-8")
        assert text.count(before) == 1, path
        (new.folder / path).write_text(text.replace(before, after), "utf-8")

    with pytest.raises(AssertionError, match=r'(new code, new schema|rolled back to old code): .*"rejected": [1-9]'):
        short(house, old, new).run()


def test_a_web_that_is_replaced_without_being_taken_out_is_seen(
    house: House, old: Release, new: Release, monkeypatch: pytest.MonkeyPatch
) -> None:
    new.add_migration("planted", "CREATE TABLE planted ();")
    monkeypatch.setattr(Traffic, "take_out", lambda _self, _port: None)

    with pytest.raises(AssertionError, match=r"new code, new schema: .*requests failed"):
        short(house, old, new).run()


def test_a_vote_that_is_missing_at_the_end_is_seen(house: House, old: Release, new: Release) -> None:
    upgrade = short(house, old, new)
    with upgrade.voting():
        upgrade.hold("old code, old schema")
    with psycopg.connect(house.database_url) as owner:
        owner.execute("DELETE FROM votes WHERE ctid = (SELECT min(ctid) FROM votes)")

    with pytest.raises(AssertionError, match="'lost': 1"):
        upgrade.compare(old)
