"""The drill: real servers on disk, web, worker and backups; live load; destroy, restore, replay, compare."""

import random
import signal
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from tests import synthetic_voters as crowd
from tests.conftest import PASSWORD
from tests.integration.ops.backed_up import Installation
from tests.stack import VOTE, Stack, running, wait_until
from tests.synthetic_voters import Ballot, Told
from vote.db.pool import Database
from vote.ops.embedded.programs import ServerSource

CHUNK = 100  # ballots pressed at once, over 64 connections
BACKUP_AT, DESTROY_AT = 0.25, 0.55  # shares of the ballots
LONG_S = 180.0


@dataclass
class Found:
    """What was told to people, what is there afterwards, and how long it took."""

    story: list[str] = field(default_factory=list)
    acknowledged: int = 0
    lost: list[str] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)
    per_million_s: float = 0.0
    restored: int = 0

    @property
    def is_clean(self) -> bool:
        return not self.lost and not self.wrong and self.acknowledged > 0

    def line(self) -> str:
        """The verdict."""
        if self.is_clean:
            return (
                f"RPO 0, lost 0; {self.per_million_s:.0f} seconds per million votes"
                f" (from the loss to the last of {self.restored:,} votes, fixed costs included)"
            )
        return f"lost {len(self.lost)}, wrong {len(self.wrong)}: {[*self.lost[:5], *self.wrong[:5]]}"


class Load:
    """People who vote and register until told that it is enough; what they were told is kept."""

    def __init__(self, stack: Stack, competition: int, voters: list[int], rate: float) -> None:
        self._rate = rate
        dice = random.Random(len(voters))
        self.waiting = [Ballot(competition, voter, dice.choice("ab")) for voter in voters]
        self.total, self.told = len(voters), list[Told]()
        self.accounts: dict[str, str] = {}
        self._stack, self._competition, self._enough = stack, competition, threading.Event()
        self._threads = [threading.Thread(target=work, daemon=True) for work in (self._vote, self._register)]

    @property
    def share(self) -> float:
        return len(self.told) / self.total

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    def finish(self) -> None:
        """Return when every ballot was cast, and the last registration was answered."""
        self._threads[0].join()
        self._enough.set()
        self._threads[1].join()

    def _vote(self) -> None:
        due = time.monotonic()
        while self.waiting:
            chunk, self.waiting = self.waiting[:CHUNK], self.waiting[CHUNK:]
            self.told += crowd.press(self._stack.url, chunk)
            due += CHUNK / self._rate
            self._enough.wait(max(0, due - time.monotonic()))  # people come at their own pace, not at ours

    def _register(self) -> None:
        """New people, who vote at once; while the database is away they are told so, and come later."""
        number = 0
        while not self._enough.is_set():
            number += 1
            name = f"newcomer-{number}"
            form = {
                "username": name,
                "email": f"{name}@example.com",
                "password": PASSWORD,
                "confirm_password": PASSWORD,
            }
            try:
                answer = self._stack.post("/register", form)
                if answer.status == 201:
                    self.accounts[name] = answer.json["token"]
                    voted = self._stack.vote(self._competition, "a", answer.json["token"])
                    ballot = Ballot(self._competition, int(answer.json["user"]["id"]), "a")
                    self.told.append(Told(ballot, voted.status, {}))
            except OSError:
                pass
            self._enough.wait(0.2)


class Drill:
    """One run."""

    def __init__(
        self, server_source: ServerSource, folder: Path, votes: int, *, rate: float, say: Callable[[str], None]
    ) -> None:
        self.found = Found()
        self._folder, self._votes, self._rate, self._say = folder, votes, rate, say
        self.one = Installation(server_source, folder / "installation")
        self.one.environ |= {
            "DATABASE_URL_WEB": self.one.pair.url("vote_web"),
            "DATABASE_URL_WORKER": self.one.pair.url("vote_worker"),
            "BACKUP_EVERY_HOURS": "24",
            "WEB_CONCURRENCY": "2",
        }
        self._keep: subprocess.Popen[bytes] | None = None

    def run(self) -> Found:
        """All of it. The servers are ended and removed afterwards."""
        try:
            with running(self.one.environ, self._folder / "stack") as stack:
                self._run(stack)
        finally:
            self._stop_keeping()
            self.one.pair.stop()
        return self.found

    def _run(self, stack: Stack) -> None:
        owner = Database(self.one.settings.database("owner"), size=2, name="drill")
        self._start_keeping()
        load = Load(stack, self.one.open_competition(), crowd.make_voters(owner, self._votes), self._rate)
        wait_until(lambda: stack.results(1).get("state") == "open", what="the competition is open")
        load.start()
        wait_until(lambda: load.share >= BACKUP_AT, what="people vote", within=LONG_S)
        made = self._timed("backed up under load", lambda: self.one.json("backup", "create"))
        proved = self.one.json("backup", "verify")
        self._tell(f"backup {made['label']}: {made['votes']:,} votes, proved by a restore in {proved['seconds']} s")
        wait_until(lambda: load.share >= DESTROY_AT, what="people vote on", within=LONG_S)
        self._destroy_and_restore(load)
        load.finish()
        began = time.monotonic()
        wait_until(lambda: b"vote_pending_ballots 0.0" in stack.get("/metrics").body, what="drained", within=LONG_S)
        self._tell(f"the log is drained {time.monotonic() - began:.1f} s after the last ballot")
        self._compare(owner, load)
        owner.close()

    def _destroy_and_restore(self, load: Load) -> None:
        accounts, votes = len(load.accounts), len(load.told)
        self._kill_keeping()
        self.one.destroy()
        self._tell(f"database destroyed (kill -9, rm -rf) after {votes:,} ballots and {accounts} registrations")
        began = time.monotonic()
        told = self._timed("restored to the end", lambda: self.one.json("restore"))
        self.one.pair.restart_database()
        at = self.one.sql("SELECT sum(recorded)::bigint FROM log_positions")[0][0]
        self._tell(f"from backup {told['label']} and {told['wal_files']} WAL files; {at:,} ballots were recorded in it")
        self._start_keeping()
        seconds = time.monotonic() - began
        before = len([one for one in load.told if one.status == 202])
        wait_until(
            lambda: self.one.sql("SELECT sum(recorded)::bigint FROM log_positions")[0][0] >= before,
            what="the log is replayed",
            within=LONG_S,
        )
        whole = time.monotonic() - began
        self.found.restored = before
        self.found.per_million_s = whole / max(before, 1) * 1e6
        self._tell(
            f"{before - at:,} ballots replayed from the log {whole - seconds:.1f} s later;"
            f" {whole:.1f} s from the loss to the last of {before:,} votes"
        )

    def _compare(self, owner: Database, load: Load) -> None:
        stored, votes = crowd.acknowledged(load.told), crowd.recorded(owner)
        names = {row[0] for row in self.one.sql("SELECT username FROM users")}
        found = self.found
        found.acknowledged = len(stored)
        found.lost += [f"vote of {key[1]}" for key, choice in stored.items() if votes.get(key) != choice]
        found.lost += [f"account {name}" for name in load.accounts if name not in names]
        unsure = {(one.ballot.competition, one.ballot.voter) for one in load.told if one.status in (0, 503)}
        found.wrong += [f"vote of {key[1]} that nobody cast" for key in votes.keys() - stored.keys() - unsure]
        gaps, unmatched = (
            self.one.sql(f"SELECT count(*) FROM {table}")[0][0] for table in ("log_gaps", "unmatched_ballots")
        )
        found.wrong += [f"{count} {what}" for count, what in ((gaps, "gaps"), (unmatched, "unmatched")) if count]
        tally = dict(self.one.sql("SELECT option_key, sum(votes)::bigint FROM tallies GROUP BY 1"))
        if {key: int(n) for key, n in tally.items()} != dict(crowd.tally_of(votes, 1)):
            found.wrong.append("the tally is not the count of votes")
        answers = dict(Counter(str(one.body.get("detail", one.status)) for one in load.told))
        self._tell(f"{len(stored):,} acknowledged votes and {len(load.accounts)} accounts compared; answers: {answers}")

    def _start_keeping(self) -> None:
        with (self._folder / "keep.log").open("ab") as output:
            self._keep = subprocess.Popen([*VOTE, "backup", "keep"], env=self.one.environ, stdout=output, stderr=output)
        wait_until(lambda: self.one.sql("SHOW synchronous_standby_names") == [("vote_wal",)], what="it streams")

    def _stop_keeping(self) -> None:
        if self._keep is not None:
            self._keep.send_signal(signal.SIGTERM)
            self._keep.wait(timeout=60)
            self._keep = None

    def _kill_keeping(self) -> None:
        """As a crash of its machine would."""
        assert self._keep is not None
        self._keep.kill()
        self._keep.wait()
        self._keep = None

    def _timed(self, what: str, work: Callable[[], dict[str, object]]) -> dict[str, object]:
        began = time.monotonic()
        answer = work()
        self._tell(f"{what} in {time.monotonic() - began:.1f} s")
        return answer

    def _tell(self, line: str) -> None:
        self.found.story.append(line)
        self._say(line)
