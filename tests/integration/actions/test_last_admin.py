"""Somebody who can administer always stays: no path, and no two paths at the same moment, leave the site without one."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import pytest
from psycopg.errors import CheckViolation

from tests.integration.clients import PASSWORD, ApiClient, Browser
from vote.actions import account_administration, accounts
from vote.ballotlog.log import BallotLog
from vote.db import users
from vote.db.pool import Database
from vote.db.users import Account
from vote.errors import Conflict
from vote.worker.worker import Worker

MakeUser = Callable[..., Account]
AsUser = Callable[[Account], ApiClient]


@pytest.fixture
def chief(make_user: MakeUser) -> Account:
    return make_user(username="chief", role="admin", password=PASSWORD)


def admins(owner: Database) -> list[int]:
    with owner.read() as tx:
        rows = tx.execute(
            "SELECT id FROM users WHERE role = 'admin' AND disabled_at IS NULL AND erased_at IS NULL ORDER BY id"
        )
        return [row[0] for row in rows]


def test_the_last_admin_cannot_erase_the_own_account(
    as_user: AsUser, browser: Browser, chief: Account, make_user: MakeUser, owner: Database
) -> None:
    make_user(role="organiser")
    off = make_user(role="admin")
    account_administration.disable(owner, off.id, by="vote admin")

    by_api = as_user(chief).delete("/api/me", json={"password": PASSWORD})
    browser.log_in(chief)
    by_page = browser.submit("/account", "/account/delete", password=PASSWORD)

    for answer in (by_api, by_page):
        assert answer.status_code == 409
        assert "You are the last admin. Make someone else an admin first." in answer.text
    assert admins(owner) == [chief.id]
    assert browser.get("/api/me").status_code == 200, "nobody was logged out"

    other = make_user(role="admin")
    assert as_user(chief).delete("/api/me", json={"password": PASSWORD}).status_code == 204
    assert admins(owner) == [other.id]


def test_no_statement_at_all_takes_the_last_admin(owner: Database, chief: Account, make_user: MakeUser) -> None:
    second = make_user(role="admin")
    for change in ("role = 'voter'", "disabled_at = now()"):
        with pytest.raises(CheckViolation, match="no admin"), owner.transaction(by="tests") as tx:
            tx.execute(f"UPDATE users SET {change} WHERE role = 'admin'")  # both of them in one statement
    assert admins(owner) == sorted([chief.id, second.id])


def refused_at_once(removals: list[Callable[[], object]]) -> int:
    """How many of these were refused, each in a thread of its own and all at the same moment."""
    together = threading.Barrier(len(removals))

    def remove(removal: Callable[[], object]) -> bool:
        together.wait()
        try:
            removal()
        except Conflict:
            return True
        return False

    with ThreadPoolExecutor(len(removals)) as threads:
        return sum(threads.map(remove, removals))


@pytest.mark.parametrize("way", ["erase", "set_role", "disable"])
def test_two_admins_who_remove_each_other_at_the_same_moment_are_one_left(
    owner: Database, log: BallotLog, chief: Account, make_user: MakeUser, worker: Worker, way: str
) -> None:
    del worker  # the log takes erasures
    ways: dict[str, Callable[[int, int], object]] = {
        "erase": lambda who, _: accounts.erase(owner, log, by=who),
        "set_role": lambda who, by: account_administration.set_role(owner, who, role="voter", by=by),
        "disable": lambda who, by: account_administration.disable(owner, who, by=by),
    }
    one = chief.id
    for _ in range(5):
        other = make_user(role="admin").id

        refused = refused_at_once([partial(ways[way], one, other), partial(ways[way], other, one)])

        assert refused == 1
        [one] = admins(owner)


def test_a_replay_erases_whom_an_older_backup_takes_for_the_last_admin(
    owner: Database, log: BallotLog, worker: Worker, chief: Account, make_user: MakeUser
) -> None:
    make_user(role="admin")
    accounts.erase(owner, log, by=chief.id)
    worker.step()
    with owner.transaction(by="tests") as tx:  # as a backup from before has it, when the other was no admin yet
        tx.execute(
            "UPDATE users SET username = 'chief', email = 'chief@example.com', password_hash = 'x', role = 'admin',"
            " erased_at = NULL WHERE id = %s",
            (chief.id,),
        )
        tx.execute("SELECT set_config('vote.replaying', 'on', true)")
        tx.execute("UPDATE users SET role = 'voter' WHERE id <> %s", (chief.id,))
        tx.execute("UPDATE log_positions SET position = 0, last_entry = NULL")

    worker.step()

    with owner.read() as tx:
        assert users.find(tx, chief.id) is None, "an erasure is done, whatever else"


def test_the_account_is_erased_for_who_knows_the_password_only(
    as_user: AsUser, make_user: MakeUser, owner: Database
) -> None:
    ada = make_user(password=PASSWORD)
    client = as_user(ada)

    for given, field in (({}, "password"), ({"password": "wrong"}, "password"), ({"password": ""}, "password")):
        refused = client.delete("/api/me", json=given)
        assert (refused.status_code, list(refused.json["errors"])) == (422, [field])
    assert client.delete("/api/me").status_code == 422, "a token alone erases nobody"
    with owner.read() as tx:
        assert users.find(tx, ada.id) is not None
    assert client.delete("/api/me", json={"password": PASSWORD}).status_code == 204
    with owner.read() as tx:
        assert users.find(tx, ada.id) is None
