"""What guessing costs: counted before it is looked at, for names nobody has too, and never the owner's cost."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.counting_hasher import RIGHT, CountingHasher
from vote.actions import logins
from vote.actions.login_throttle import LoginSource, LoginThrottle
from vote.auth import PBKDF2_ROUNDS
from vote.config import Settings
from vote.db import account_locks, attempts
from vote.db.attempts import FIRST_WAIT_S, LONGEST_WAIT_S
from vote.db.pool import Database
from vote.db.users import Account
from vote.errors import HasherBusy, NotFound, NotLoggedIn, TooManyGuesses
from vote.input_limits import FREE_GUESSES, GUESSES_A_DAY
from vote.services.container import Services
from vote.worker.worker import Worker

MakeUser = Callable[..., Account]
WRONG = "wrong"
HOME = LoginSource("192.0.2.1", None)


class Door:
    """Somebody at the door, who counts what was looked at."""

    def __init__(self, services: Services) -> None:
        self.parts = services
        self.hasher = CountingHasher()

    def try_(self, username: str, password: str = WRONG, origin: LoginSource = HOME) -> str:
        """What became of it: in, wrong, or wait."""
        try:
            attempt = self.parts.login_throttle.at_login(username, origin)
            logins.check_login(
                self.parts.db, self.hasher, self.parts.login_throttle, attempt, username=username, password=password
            )
        except NotLoggedIn:
            return "wrong"
        except TooManyGuesses as error:
            return "wait" if error.retry_after_s >= 1 else "wait, but not how long"
        return "in"

    def know(self, account: Account, token: str) -> LoginSource:
        """Have logged in on a device, and come back from another network."""
        logins.remember_device(
            self.parts.db, self.parts.login_throttle, account, token=token, device="Firefox on Linux", session="sid"
        )
        return LoginSource("198.51.100.77", token)


@pytest.fixture
def door(services: Services) -> Door:
    return Door(services)


@pytest.fixture
def later(owner: Database) -> Callable[[float], None]:
    """Lets seconds pass for what is counted."""

    def pass_(seconds: float) -> None:
        with owner.transaction(by="tests") as tx:
            tx.execute(
                "UPDATE attempts SET wait_until = wait_until - make_interval(secs => %(s)s),"
                " expires_at = expires_at - make_interval(secs => %(s)s)",
                {"s": seconds},
            )
            tx.execute("UPDATE login_locks SET expires_at = expires_at - make_interval(secs => %s)", (seconds,))

    return pass_


@pytest.mark.parametrize("name", ["ada", "nobody"])
def test_ten_thousand_guesses_from_a_thousand_networks_are_a_hundred(
    door: Door, services: Services, make_user: MakeUser, name: str
) -> None:
    """L1. Many at once, so that what is not atomic shows."""
    ada = make_user(username="ada")
    known = door.know(ada, "her laptop")
    networks = [LoginSource(f"2001:db8:0:{n:x}::/64", None) for n in range(1_000)]
    with ThreadPoolExecutor(6) as pool:
        said = list(pool.map(lambda n: door.try_(name, origin=networks[n % 1_000]), range(10_000)))

    assert door.hasher.verified == said.count("wrong") == GUESSES_A_DAY == 100
    assert set(said) == {"wrong", "wait"}
    assert door.try_(name, RIGHT, origin=LoginSource("203.0.113.5", None)) == "wait", (
        "the right one would not be looked at"
    )
    assert door.try_("ada", RIGHT, origin=known) == "in", "the owner, on a known device, at the first try"


def test_from_the_fifth_wrong_one_each_doubles_the_wait(
    door: Door, make_user: MakeUser, later: Callable[[float], None]
) -> None:
    make_user(username="ada")

    assert [door.try_("ada") for _ in range(FREE_GUESSES + 2)] == ["wrong"] * (FREE_GUESSES + 1) + ["wait"]
    waited = FIRST_WAIT_S
    for _ in range(4):
        later(waited - 2)
        assert door.try_("ADA") == "wait"
        later(2)
        assert door.try_("ADA") == "wrong"
        assert door.try_("ada") == "wait"
        waited *= 2
    assert door.hasher.verified == FREE_GUESSES + 1 + 4
    assert door.try_("ada", RIGHT, origin=LoginSource("192.0.2.2", None)) == "in", (
        "another network has a count of its own"
    )
    assert door.try_("bob") == "wrong", "and so has another name"
    later(LONGEST_WAIT_S)
    assert door.try_("ada", RIGHT) == "in"
    assert [door.try_("ada") for _ in range(FREE_GUESSES)] == ["wrong"] * FREE_GUESSES, "who was right begins anew"


def test_no_wait_is_longer_than_an_hour(door: Door, later: Callable[[float], None], owner: Database) -> None:
    for _ in range(20):
        door.try_("nobody")
        later(LONGEST_WAIT_S)
    door.try_("nobody")

    with owner.read() as tx:
        row = tx.execute(
            "SELECT max(extract(epoch FROM wait_until - now())) FROM attempts WHERE source <> ''"
        ).fetchone()
    assert row is not None
    assert LONGEST_WAIT_S - 60 < row[0] <= LONGEST_WAIT_S


def test_guesses_at_the_same_moment_are_not_one(door: Door) -> None:
    with ThreadPoolExecutor(12) as pool:
        said = list(pool.map(lambda _: door.try_("nobody"), range(60)))

    assert said.count("wrong") == door.hasher.verified == FREE_GUESSES + 1


def test_a_known_device_counts_for_itself_and_for_its_account_only(door: Door, make_user: MakeUser) -> None:
    ada, eve = make_user(username="ada"), make_user(username="eve")
    laptop = door.know(ada, "laptop")
    own = door.know(eve, "eves")

    assert [door.try_("ada", origin=laptop) for _ in range(FREE_GUESSES + 2)] == ["wrong"] * (FREE_GUESSES + 1) + [
        "wait"
    ]
    assert door.try_("ada", RIGHT) == "in", "what goes wrong there costs nobody else"
    assert [door.try_("ada", origin=own) for _ in range(FREE_GUESSES + 2)][-1] == "wait"
    assert door.try_("ada", origin=LoginSource(own.network, None)) == "wait", "a device of somebody else is no device"
    assert door.try_("ada", origin=LoginSource(own.network, "made up")) == "wait"


def test_a_device_that_was_taken_away_is_a_strangers(door: Door, services: Services, make_user: MakeUser) -> None:
    ada = make_user(username="ada")
    laptop = door.know(ada, "laptop")
    with services.db.read() as tx:
        number = tx.execute("SELECT id FROM devices").fetchone()
    assert number is not None
    for n in range(GUESSES_A_DAY):
        door.try_("ada", origin=LoginSource(str(n), None))

    with pytest.raises(NotFound):
        logins.forget_device(services.db, number[0], by=make_user().id)
    assert logins.forget_device(services.db, number[0], by=ada.id) == "sid:sid"

    assert door.try_("ada", RIGHT, origin=laptop) == "wait"


def test_what_was_not_looked_at_is_not_counted(door: Door, make_user: MakeUser) -> None:
    make_user(username="ada")
    door.hasher.is_busy = True
    for _ in range(FREE_GUESSES + 3):
        with pytest.raises(HasherBusy):
            door.try_("ada")
    door.hasher.is_busy = False

    assert [door.try_("ada") for _ in range(FREE_GUESSES + 2)] == ["wrong"] * (FREE_GUESSES + 1) + ["wait"]


def test_the_hundredth_locks_tells_the_owner_and_an_admin_unlocks(
    door: Door, services: Services, owner: Database, make_user: MakeUser
) -> None:
    ada, chief = make_user(username="ada"), make_user(role="admin")
    for n in range(GUESSES_A_DAY + 5):
        door.try_("ada", origin=LoginSource(str(n), None))
        door.try_("nobody", origin=LoginSource(str(n), None))

    with owner.read() as tx:
        assert [row.username for row in account_locks.listed(tx, limit=9)] == ["ada"]
    logins.unlock(services.db, services.login_throttle, ada.id, by=chief.id)
    logins.unlock(services.db, services.login_throttle, ada.id, by=chief.id)

    assert door.try_("ada", RIGHT) == "in"
    with owner.read() as tx:
        assert account_locks.count(tx) == 0
        told = tx.execute("SELECT kind, recipient FROM outbox ORDER BY written_at").fetchall()
        audited = tx.execute("SELECT actor, action, subject_id FROM audit_log WHERE subject = 'login_locks'").fetchall()
    assert told == [("locked", ada.email), ("unlocked", ada.email)]
    assert audited == [("login", "insert", str(ada.id)), (f"user:{chief.id}", "delete", str(ada.id))]


def test_a_day_later_there_are_a_hundred_more(
    door: Door, owner: Database, worker: Worker, make_user: MakeUser, later: Callable[[float], None]
) -> None:
    make_user(username="ada")
    for n in range(GUESSES_A_DAY + 1):
        door.try_("ada", origin=LoginSource(str(n), None))
    assert door.try_("ada", RIGHT, origin=LoginSource("last", None)) == "wait"

    later(24 * 3600)
    assert door.try_("ada", RIGHT, origin=LoginSource("last", None)) == "in"
    worker.maintenance.mark()

    with owner.read() as tx:
        assert tx.execute("SELECT count(*) FROM login_locks").fetchone() == (0,)
        assert tx.execute("SELECT count(*) FROM attempts WHERE source <> ''").fetchone() == (0,)


def test_the_rows_name_nobody(door: Door, owner: Database, settings: Settings) -> None:
    door.try_("ada.of.example")
    elsewhere = LoginThrottle(
        owner, settings.model_copy(update={"flask_secret_key": "another key, of another installation"})
    )

    with owner.read() as tx:
        rows = tx.execute("SELECT subject, source FROM attempts").fetchall()
    subjects = {row[0] for row in rows}
    assert len(rows) == 2
    assert subjects == {door.parts.login_throttle.subject("name", "ada.of.example")}
    assert elsewhere.subject("name", "ada.of.example") not in subjects
    assert {row[1] for row in rows} >= {attempts.EVERYWHERE}


def test_nobody_who_is_logged_in_guesses_the_password_freely(
    door: Door, services: Services, make_user: MakeUser
) -> None:
    ada = make_user(username="ada")

    def ask(password: str) -> None:
        logins.check_password(
            services.db, door.hasher, services.login_throttle, by=ada, password=password, field="current_password"
        )

    ask(RIGHT)
    for _ in range(FREE_GUESSES + 1):
        with pytest.raises(Exception, match="another look"):
            ask("wrong")
    with pytest.raises(TooManyGuesses):
        ask(RIGHT)
    assert door.try_("ada", RIGHT) == "in", "that is no reason not to let the owner log in"


def test_a_hash_of_older_parameters_is_renewed_at_the_login(door: Door, owner: Database, make_user: MakeUser) -> None:
    ada = make_user(username="ada")
    with owner.transaction(by="tests") as tx:
        tx.execute("UPDATE users SET password_hash = 'pbkdf2:sha256:1000$old$00' WHERE id = %s", (ada.id,))

    assert door.try_("ada") == "wrong"
    with owner.read() as tx:
        before = tx.execute("SELECT password_hash FROM users WHERE id = %s", (ada.id,)).fetchone()
    assert door.try_("ada", RIGHT) == "in"
    with owner.read() as tx:
        after = tx.execute("SELECT password_hash FROM users WHERE id = %s", (ada.id,)).fetchone()

    assert before == ("pbkdf2:sha256:1000$old$00",)
    assert after is not None
    assert after[0].startswith(f"pbkdf2:sha256:{PBKDF2_ROUNDS}$")
