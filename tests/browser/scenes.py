"""A house full of competitions in every state, and the list of all pages: checked by tests, photographed for the docs."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import redis

from tests.stack import wait_until
from vote.actions import closing, competitions
from vote.ballotlog import keys
from vote.ballotlog.log import BallotLog
from vote.db import competitions as stored
from vote.db import devices, outbox, users
from vote.db.pool import Database
from vote.domain.ballot import shard_of
from vote.domain.person import Person

PASSWORD_HASH = "pbkdf2:sha256:600000$tests$" + "00" * 32
SONGS = [
    "Slow trains",
    "Paper boats",
    "The long way home",
    "Harbour lights",
    "No signal",
    "Tin roof",
    "Maps",
    "Northbound",
    "Everything at once",
]
LONG_WORD = "Donaudampfschifffahrtsgesellschaftskapitaen"
LONG_NAME = "m" * 40  # as long as a user name may be


@dataclass(frozen=True, slots=True)
class Scene:
    """A page as somebody sees it: nobody, mara (a voter), noor (an organiser), ines (her dashboard is empty), olga (an
    admin) or LONG_NAME.
    """

    name: str
    path: str
    who: str | None = None
    status: int = 200


class House:
    """Makes what the scenes need, straight in the stores where the way there is another test's matter."""

    def __init__(self, db: Database, log: BallotLog, redis_url: str) -> None:
        self._db, self._log, self._redis_url = db, log, redis_url
        self.people: dict[str, Person] = {}
        self.ids: dict[str, int] = {}

    def furnish(self) -> None:
        """All people and competitions. A worker must run."""
        for name in ("noor", "ines"):
            self.people[name] = self._person(name, "organiser")
        for name in ("olga", LONG_NAME):
            self.people[name] = self._person(name, "admin")
        self.people["mara"] = self._person("mara", "voter")
        now = datetime.now(UTC)
        soon, later = now + timedelta(hours=3, minutes=12, seconds=30), now + timedelta(days=6)
        self._make(
            "logo", "Logo of the city run", ["Bridge", "Runner", "River"], tally=[9_410, 6_115, 2_679], state="closed"
        )
        self._make("tie", "Colour of the new trams", ["Blue", "Green", "Yellow"], tally=[812, 812, 377], state="closed")
        self._make("empty", "Name of the kitten", ["Pixel", "Biscuit"], closes_at=later)
        self._make(
            "songs", "Song of the year", SONGS, tally=[12_345_678 - 1_234_567 * n for n in range(9)], closes_at=later
        )
        self._make(
            "hidden",
            "Best film of the week",
            ["The ferry", "Two rooms"],
            results_visibility="after_close",
            closes_at=later,
            tally=[41, 66],
        )
        self._make(
            "poster",
            "Poster for the summer",
            ["Lighthouse", "Swallows"],
            allow_change=True,
            closes_at=later,
            tally=[301, 287],
        )
        self._make(
            "mascot", "Mascot 2027", ["Otter", "Heron", "Hedgehog"], closes_at=later, tally=[3_110, 2_404, 1_526]
        )
        self._make(
            "stages",
            "Which stage was the best of the festival?",
            ["River stage", "Hall stage"],
            closes_at=soon,
            tally=[6_214, 4_447],
            more=["Jazz, folk and everything at sunset", "The loud one"],
        )
        self._make("final", "Song of the year, final", ["Slow trains", "Paper boats"], opens_at=now + timedelta(days=3))
        self._make("draft", "Menu for the crew", ["Stew", "Curry", "Pizza"], draft=True)
        self._correct_and_reopen("dish", "Best dish of the nihgt", ["Piza", "Ramen"], closes_at=later, tally=[12, 9])
        self._vote("mascot", "mara", "b")
        self._vote("poster", "mara", "a")
        self._vote("hidden", "mara", "b")
        self._vote("logo", "mara", "a")
        self._close_over_a_gap("stalls", "Best food stall of the night market")
        self._have_devices("mara")
        self._lock("ines")

    def furnish_with_long_words(self) -> None:
        """What nobody should enter and somebody will."""
        self._make(
            "long",
            LONG_WORD * 4,
            [LONG_WORD * 2, f"{LONG_WORD} {LONG_WORD}"],
            description=LONG_WORD * 3,
            tally=[9_999_999_999, 1],
        )

    def accept(self, name: str, who: str, choice: str) -> None:
        """A ballot that the log holds and no worker has recorded."""
        person, competition = self.people[who], self.ids[name]
        with redis.Redis.from_url(self._redis_url) as client:
            shard = shard_of(competition, person.id, self._log.shards)
            client.hset(keys.voters(shard, competition), str(person.id), choice)

    def scenes(self) -> list[Scene]:
        """Every page that needs nothing but to be opened."""
        at = self.ids
        return [
            Scene("competitions", "/", "mara"),
            Scene("competitions-stranger", "/"),
            Scene("vote", f"/vote/{at['stages']}", "mara"),
            Scene("vote-chosen", f"/vote/{at['stages']}?choice=a", "mara"),
            Scene("vote-stranger", f"/vote/{at['stages']}?choice=a"),
            Scene("vote-many-options", f"/vote/{at['songs']}", "mara"),
            Scene("vote-not-open", f"/vote/{at['final']}", "mara"),
            Scene("vote-closed", f"/vote/{at['tie']}", "mara"),
            Scene("recorded", f"/vote/{at['mascot']}", "mara"),
            Scene("recorded-may-change", f"/vote/{at['poster']}", "mara"),
            Scene("recorded-results-later", f"/vote/{at['hidden']}", "mara"),
            Scene("recorded-closed", f"/vote/{at['logo']}", "mara"),
            Scene("results", f"/results/{at['stages']}"),
            Scene("results-none", f"/results/{at['empty']}"),
            Scene("results-big", f"/results/{at['songs']}"),
            Scene("results-hidden", f"/results/{at['hidden']}"),
            Scene("results-final", f"/results/{at['logo']}"),
            Scene("vote-corrected", f"/vote/{at['dish']}", "mara"),
            Scene("results-reopened", f"/results/{at['dish']}"),
            Scene("results-tie", f"/results/{at['tie']}"),
            Scene("receipts", "/receipts"),
            Scene("receipts-missing", "/receipts?code=ABCD-EFGH-IJKL-MNOP"),
            Scene("how-it-counts", "/how-it-counts"),
            Scene("privacy", "/privacy"),
            Scene("login", f"/login?next=/vote/{at['stages']}%3Fchoice%3Da"),
            Scene("register", "/register"),
            Scene("forgot", "/forgot"),
            Scene("reset", "/reset"),
            Scene("confirm", "/confirm"),
            Scene("outbox", "/outbox"),
            Scene("account", "/account", "mara"),
            Scene("dashboard", "/admin", "noor"),
            Scene("dashboard-empty", "/admin", "ines"),
            Scene("dashboard-new", "/admin/competitions/new", "noor"),
            Scene("dashboard-competition", f"/admin/competitions/{at['stages']}", "noor"),
            Scene("dashboard-correct", f"/admin/competitions/{at['dish']}", "noor"),
            Scene("dashboard-archive", f"/admin/competitions/{at['logo']}/archive", "noor"),
            Scene("dashboard-draft", f"/admin/competitions/{at['draft']}", "noor"),
            Scene("dashboard-close", f"/admin/competitions/{at['stages']}/close", "noor"),
            Scene("dashboard-reopen", f"/admin/competitions/{at['logo']}/reopen", "noor"),
            Scene("dashboard-delete", f"/admin/competitions/{at['draft']}/delete", "noor"),
            Scene("results-operator", f"/results/{at['stalls']}"),
            Scene("dashboard-admin", "/admin", "olga"),
            Scene("dashboard-waits", f"/admin/competitions/{at['stalls']}", "olga"),
            Scene("dashboard-waits-organiser", f"/admin/competitions/{at['stalls']}", "noor"),
            Scene("gaps", "/admin/gaps", "olga"),
            Scene("locks", "/admin/locks", "olga"),
            Scene("people", "/admin/people", "olga"),
            Scene("people-search", "/admin/people?search=ma", "olga"),
            Scene("people-nobody", "/admin/people?search=q", "olga"),
            Scene("person", f"/admin/people/{self.people['noor'].id}", "olga"),
            Scene("person-own", f"/admin/people/{self.people['olga'].id}", "olga"),
            Scene("person-disable", f"/admin/people/{self.people['mara'].id}/disable", "olga"),
            Scene("error-403", "/admin", "mara", 403),
            Scene("error-404", "/vote/99999", "mara", 404),
        ]

    def long_scenes(self) -> list[Scene]:
        """Pages with words longer than any line."""
        at = self.ids
        return [
            Scene("competitions-long-words", "/", LONG_NAME),
            Scene("vote-long-words", f"/vote/{at['long']}", LONG_NAME),
            Scene("results-long-words", f"/results/{at['long']}", LONG_NAME),
            Scene("dashboard-long-words", "/admin", LONG_NAME),
            Scene("dashboard-competition-long-words", f"/admin/competitions/{at['long']}", LONG_NAME),
            Scene("account-long-words", "/account", LONG_NAME),
            Scene("people-long-words", "/admin/people", LONG_NAME),
            Scene("person-long-words", f"/admin/people/{self.people[LONG_NAME].id}", "olga"),
        ]

    def _person(self, name: str, role: Any) -> Person:
        with self._db.transaction(by="tests") as tx:
            user_id = users.insert(
                tx, username=name, email=f"{name}@example.com", password_hash=PASSWORD_HASH, role=role
            )
        return Person(user_id, name, role)

    def _have_devices(self, name: str) -> None:
        with self._db.transaction(by="tests") as tx:
            for number, device in enumerate(("Firefox on Linux", "Safari on an iPhone")):
                devices.remember(
                    tx, self.people[name].id, token_hash=bytes([number]) * 32, device=device, session=f"sid-{number}"
                )
            outbox.put(tx, "reset", users.find(tx, self.people[name].id))

    def _lock(self, name: str) -> None:
        with self._db.transaction(by="tests") as tx:
            tx.execute(
                "INSERT INTO login_locks (user_id, locked_at, expires_at)"
                " VALUES (%s, now() - interval '3 hours', now() + interval '9 hours')",
                (self.people[name].id,),
            )

    def _make(
        self,
        key: str,
        name: str,
        options: list[str],
        *,
        tally: list[int] | None = None,
        state: str | None = None,
        more: list[str] | None = None,
        **fields: Any,
    ) -> None:
        made = competitions.create(self._db, self._log, by=self.people["noor"], name=name, options=options, **fields)
        self.ids[key] = made.id
        with self._db.transaction(by="tests") as tx:
            for option, votes in zip(made.options, tally or [], strict=False):
                tx.execute("INSERT INTO tallies VALUES (%s, 0, %s, %s, %s)", (made.id, option.key, votes, votes))
            for option, text in zip(made.options, more or [], strict=False):
                tx.execute(
                    "UPDATE options SET description = %s WHERE competition_id = %s AND key = %s",
                    (text, made.id, option.key),
                )
            if state == "closed":
                tx.execute(
                    "UPDATE competitions SET status = 'closed', closed_at = now() - interval '12 days',"
                    " state_changes = state_changes + 2 WHERE id = %s",
                    (made.id,),
                )

    def _correct_and_reopen(self, key: str, name: str, labels: list[str], **fields: Any) -> None:
        self._make(key, name, labels, **fields)
        self._vote(key, "noor", "a")
        change = {"name": "Best dish of the night", "options": ["Pizza", "Ramen"], "correction": True}
        competitions.change(self._db, self._log, self.ids[key], by=self.people["noor"], if_match=None, **change)
        with self._db.transaction(by="tests") as tx:
            was_final = "reopened_at = now(), previous_final_at = now() - interval '1 day'"
            tx.execute(f"UPDATE competitions SET {was_final} WHERE id = %s", (self.ids[key],))

    def _close_over_a_gap(self, key: str, name: str) -> None:
        """A closing that waits for an admin's word: the log had breaks, and something is set aside."""
        self._make(key, name, ["Dumplings", "Ramen", "Pho"], tally=[1_204, 1_187, 640])
        organiser = self.people["noor"]
        with self._db.transaction(by="tests") as tx:
            tx.execute(
                "INSERT INTO log_gaps (shard, old_epoch, old_position, new_epoch) VALUES"
                " (2, 'a3f09c1477de5b20', 391, '5be2d07714c9a3f0'), (6, '90cc41d2be7716fa', 402, 'd2be7716fa90cc41')"
            )
            tx.execute(
                "INSERT INTO log_gaps"
                " (shard, old_epoch, old_position, new_epoch, noticed_at, decided_at, decided_by, reason)"
                " VALUES (4, '1f0be2a9', 0, '77ac03d1', now() - interval '9 days', now() - interval '8 days', %s,"
                " 'The first machine was given back. Nobody had voted on it yet.')",
                (self.people["olga"].id,),
            )
            tx.execute(
                "INSERT INTO unmatched_ballots VALUES (gen_random_uuid(), %s, 4711, 'a', now(), 2, '5be2d07714c9a3f0', 17)",
                (self.ids[key],),
            )
            tx.execute(
                "INSERT INTO rejected_ballots VALUES (6, 'd2be7716fa90cc41', 18, 'noise', 'no such kind of entry: noise')"
            )
        competitions.close_voting(self._db, self._log, self.ids[key], by=organiser)
        wait_until(lambda: self._waits_for_a_word(key), what="only an admin's word is missing")

    def _waits_for_a_word(self, key: str) -> bool:
        with self._db.read() as tx:
            found = stored.find(tx, self.ids[key])
            return found is not None and closing.close_blockers(tx, found).needs_admin_decision

    def _vote(self, key: str, who: str, choice: str) -> None:
        with self._db.transaction(by="tests") as tx:
            tx.execute(
                "INSERT INTO votes (competition_id, user_id, choice, created_at) VALUES (%s, %s, %s, now())",
                (self.ids[key], self.people[who].id, choice),
            )
