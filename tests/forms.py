"""Every form of the product as somebody fills it in: the table that tests of second presses walk through.

A case makes what its form is about and says where the form stands, what is typed, who types it, and where it leads.
"""

import secrets
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from vote.actions import mailed_links
from vote.db import devices, mail_links
from vote.db.pool import Database
from vote.db.users import Account
from vote.domain.competition import Competition

MakeUser = Callable[..., Account]
MakeCompetition = Callable[..., Competition]

NEW = "a quite new one"
TOKEN = "t" * 43
WHY = "Looked into; nothing is missing."
LOCK = "INSERT INTO login_locks (user_id, expires_at) VALUES (%s, now() + interval '1 hour')"


class Press(NamedTuple):
    """A form: the page it stands on, where it goes, what is typed, where it leads, and who sends it. One that `asks` is
    sent once to be asked whether they are sure, and then again.
    """

    page: str
    path: str
    fields: dict[str, Any]
    leads_to: str
    who: Account | None = None
    asks: bool = False


class World:
    """Makes what the forms are about. `password` is everybody's."""

    def __init__(
        self, owner: Database, make_user: MakeUser, make_competition: MakeCompetition, *, password: str
    ) -> None:
        self.owner, self.make_user, self.make_competition, self.password = owner, make_user, make_competition, password

    def competition(self, **fields: Any) -> str:
        return f"/admin/competitions/{self.make_competition(**fields).id}"

    def closed(self) -> str:
        made = self.make_competition()
        self.sql(
            "UPDATE competitions SET status = 'closed', closed_at = now(), state_changes = state_changes + 2 WHERE id = %s",
            made.id,
        )
        return f"/admin/competitions/{made.id}"

    def over_an_unmatched_ballot(self) -> str:
        """A closing that only an admin's word can end."""
        made = self.make_competition()
        self.sql(
            "INSERT INTO unmatched_ballots VALUES (gen_random_uuid(), %s, 4711, 'q', now(), 3, 'old', 17)", made.id
        )
        self.sql("UPDATE competitions SET status = 'closing', state_changes = state_changes + 1 WHERE id = %s", made.id)
        self.sql(
            "INSERT INTO log_markers SELECT c.id, p.shard, c.rules_version FROM competitions c, log_positions p"
            " WHERE c.id = %s",
            made.id,
        )
        return f"/admin/competitions/{made.id}"

    def admin(self) -> Account:
        return self.make_user(role="admin")

    def sql(self, text: str, *values: object) -> list[tuple[Any, ...]]:
        with self.owner.transaction(by="tests") as tx:
            cursor = tx.execute(text, values)
            return cursor.fetchall() if cursor.description else []

    def link(self, purpose: Any) -> Account:
        account = self.make_user()
        with self.owner.transaction(by="tests") as tx:
            mail_links.replace(
                tx,
                token_hash=mailed_links.hash_of(TOKEN),
                user_id=account.id,
                purpose=purpose,
                email=account.email,
                minutes=30,
            )
        return account

    def device(self, account: Account) -> int:
        with self.owner.transaction(by="tests") as tx:
            devices.remember(tx, account.id, token_hash=b"d" * 32, device="Firefox on Linux", session="sid")
            return devices.of_person(tx, account.id)[0].id

    def gap(self) -> str:
        made = (
            "INSERT INTO log_gaps (shard, old_epoch, old_position, new_epoch)"
            " VALUES (0, gen_random_uuid()::text, 1, 'b') RETURNING id"
        )
        return str(self.sql(made)[0][0])

    def changes(self) -> dict[str, tuple[Any, ...]]:
        """How much was ever written of what a second press could write once more."""
        counted = ("users", "competitions", "audit_log", "outbox", "revocations", "decisions", "erasures")
        found: dict[str, tuple[Any, ...]] = {
            name: self.sql(f"SELECT count(*), max(t.ctid::text) FROM {name} t")[0] for name in counted
        }
        return found | {"devices": self.sql("SELECT count(*) FROM devices")[0]}


Case = Callable[[World], Press]


def register(_: World) -> Press:
    name = f"ada-{secrets.token_hex(4)}"
    fields = {"username": name, "email": f"{name}@example.com", "password": NEW, "confirm_password": NEW}
    return Press("/register?next=/receipts", "/register", fields, "/receipts")


def login(world: World) -> Press:
    return Press("/login", "/login", {"username": world.make_user().username, "password": world.password}, "/")


def logout(world: World) -> Press:
    return Press("/receipts", "/logout", {}, "/", world.make_user())


def forgot(world: World) -> Press:
    return Press("/forgot", "/forgot", {"email": world.make_user().email}, "/forgot")


def reset(world: World) -> Press:
    world.link("reset")
    return Press(
        "/reset", "/reset", {"token": TOKEN, "new_password": NEW, "confirm_password": NEW}, "/login?done=reset"
    )


def confirm(world: World) -> Press:
    who = world.link("confirm")
    return Press("/confirm", "/confirm", {"token": TOKEN}, "/account?done=confirmed", who)


def password(world: World) -> Press:
    fields = {"current_password": world.password, "new_password": NEW, "confirm_password": NEW}
    return Press("/account", "/account/password", fields, "/account?done=password", world.make_user())


def email(world: World) -> Press:
    fields = {"email": f"{secrets.token_hex(4)}@example.com", "password": world.password}
    return Press("/account", "/account/email", fields, "/account?done=email", world.make_user())


def ask_confirmation(world: World) -> Press:
    return Press("/account", "/account/email/confirm", {}, "/account?done=mail", world.make_user())


def forget_device(world: World) -> Press:
    who = world.make_user()
    return Press("/account", f"/account/devices/{world.device(who)}/forget", {}, "/account?done=device", who)


def logout_everywhere(world: World) -> Press:
    return Press("/account", "/account/logout-everywhere", {}, "/login", world.make_user())


def erase(world: World) -> Press:
    fields = {"password": world.password}
    return Press("/account", "/account/delete", fields, "/login?done=deleted", world.make_user())


def create(world: World) -> Press:
    fields = {"name": "Which of these?", "option": ["A", "B"]}
    return Press(
        "/admin/competitions/new",
        "/admin/competitions",
        fields,
        "/admin/competitions/{new}?done=created",
        world.admin(),
    )


def save(world: World) -> Press:
    page = world.competition()
    return Press(
        page, page, {"name": "Another name", "results_visibility": "live"}, f"{page}?done=saved", world.admin()
    )


def save_the_same(world: World) -> Press:
    page = world.competition(name="Which?")
    return Press(page, page, {"name": "Which?", "results_visibility": "live"}, f"{page}?done=same", world.admin())


def step(name: str, **fields: Any) -> Case:
    def make(world: World) -> Press:
        page = world.closed() if name in ("reopen", "archive") else world.competition(**fields)
        there = "/admin" if name == "delete" else page
        return Press(f"{page}/{name}", f"{page}/{name}", {}, f"{there}?done={name}", world.admin())

    return make


def schedule(world: World) -> Press:
    page = world.competition(draft=True)
    world.sql("UPDATE competitions SET opens_at = now() + interval '1 day' WHERE id = %s", page.rpartition("/")[2])
    return Press(f"{page}/schedule", f"{page}/schedule", {}, f"{page}?done=schedule", world.admin())


def correct(world: World) -> Press:
    page = world.competition(name="Wich?")
    world.sql(
        "INSERT INTO votes (competition_id, user_id, choice, created_at) VALUES (%s, %s, 'a', now())",
        page.rpartition("/")[2],
        world.make_user().id,
    )
    fields = {"name": "Which?"}
    return Press(page, f"{page}/correct", fields, f"{page}?done=corrected#corrections", world.admin())


def finish(world: World) -> Press:
    page = world.over_an_unmatched_ballot()
    return Press(page, f"{page}/finish", {"reason": WHY}, f"{page}?done=finish", world.admin(), asks=True)


def decide(world: World) -> Press:
    fields = {"gap": world.gap(), "reason": WHY}
    return Press("/admin/gaps", "/admin/gaps", fields, "/admin/gaps?done=decided", world.admin(), asks=True)


def role(world: World) -> Press:
    page = f"/admin/people/{world.make_user().id}"
    return Press(page, f"{page}/role", {"role": "organiser"}, f"{page}?done=role", world.admin())


def of_person(name: str, before: str = "") -> Case:
    def make(world: World) -> Press:
        person = world.make_user().id
        if before:
            world.sql(before, person)
        page = f"/admin/people/{person}"
        return Press(f"{page}/{name}", f"{page}/{name}", {}, f"{page}?done={name}", world.admin())

    return make


CASES: dict[str, dict[str, Case]] = {
    "/register": {"register": register},
    "/login": {"log in": login},
    "/logout": {"log out": logout},
    "/forgot": {"forgot": forgot},
    "/reset": {"reset": reset},
    "/confirm": {"confirm": confirm},
    "/account/password": {"password": password},
    "/account/email": {"e-mail": email},
    "/account/email/confirm": {"ask confirmation": ask_confirmation},
    "/account/devices/<id:device_id>/forget": {"forget device": forget_device},
    "/account/logout-everywhere": {"log out everywhere": logout_everywhere},
    "/account/delete": {"erase": erase},
    "/admin/competitions": {"create": create},
    "/admin/competitions/<id:competition_id>": {"save": save, "save the same": save_the_same},
    "/admin/competitions/<id:competition_id>/<any(open, close, schedule, reopen, archive, delete):name>": {
        "open": step("open", draft=True),
        "close": step("close"),
        "schedule": schedule,
        "reopen": step("reopen"),
        "archive": step("archive"),
        "delete": step("delete"),
    },
    "/admin/competitions/<id:competition_id>/correct": {"correct": correct},
    "/admin/competitions/<id:competition_id>/finish": {"finish": finish},
    "/admin/gaps": {"decide": decide},
    "/admin/people/<id:user_id>/role": {"role": role},
    "/admin/people/<id:user_id>/<any(disable, enable, logout, unlock):name>": {
        "disable": of_person("disable"),
        "enable": of_person("enable", "UPDATE users SET disabled_at = now() WHERE id = %s"),
        "log somebody out": of_person("logout"),
        "unlock": of_person("unlock", LOCK),
    },
}
LOGGED_IN_AFTERWARDS = (register, login, password)


def every_case() -> Iterator[tuple[str, Case]]:
    """All cases by name."""
    for cases in CASES.values():
        yield from cases.items()
