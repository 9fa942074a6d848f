"""What people do besides voting: register, make competitions, open and close them, leave, decide over a gap."""

import secrets
import time
from contextlib import suppress
from datetime import UTC, datetime, timedelta

from hypothesis import strategies as st
from hypothesis.stateful import precondition, rule

from tests.conftest import PASSWORD_HASH
from tests.model.stage import MAX_COMPETITIONS, MAX_VOTERS, Stage, competitions_, voters_
from vote.actions import accounts, closing
from vote.actions import competitions as change
from vote.db import users
from vote.errors import Conflict, NotFound, VoteError


class People(Stage):
    """Accounts and competitions."""

    @precondition(lambda self: len(self.people) < MAX_VOTERS)
    @rule()
    def register(self) -> None:
        name = f"voter-{len(self.people)}-{secrets.token_hex(4)}"
        with self.world.owner.transaction(by="tests") as tx:
            self.people.append(
                users.insert(tx, username=name, email=f"{name}@example.com", password_hash=PASSWORD_HASH, role="voter")
            )

    @precondition(lambda self: len(self.competitions) < MAX_COMPETITIONS)
    @rule(allow_change=st.booleans(), later=st.booleans(), lost=st.booleans())
    def create(self, *, allow_change: bool, later: bool, lost: bool) -> None:
        """A competition, open at once or scheduled."""
        opens_at = datetime.now(UTC) + timedelta(hours=1) if later else None
        with self.announcing(lost):
            made = change.create(
                self.world.owner,
                self.world.log,
                by=self.organiser,
                name="Which stage?",
                options=["River", "Hall"],
                opens_at=opens_at,
                allow_change=allow_change,
            )
        self.competitions.append(made.id)
        for web in self.webs:
            self.world.runner.run(web.knows(made.id))

    @rule(which=competitions_, lost=st.booleans(), verb=st.sampled_from(["open", "close", "close", "extend", "end"]))
    def organise(self, which: int, lost: bool, verb: str) -> None:
        """Open (again), close, extend, or let the clock close it."""
        hours = timedelta(hours=which + 1)
        if verb == "extend":
            self._change_end(which, lost, datetime.now(UTC) + hours if which else None)
        elif verb == "end":
            self._let_it_end(which, lost)
        else:
            act = change.open_voting if verb == "open" else change.close_voting
            with self.announcing(lost), suppress(Conflict, NotFound):
                act(self.world.owner, self.world.log, self.competition(which), by=self.organiser)

    def _let_it_end(self, which: int, lost: bool) -> None:
        ends = datetime.now(UTC) + timedelta(seconds=0.1)
        if self._change_end(which, lost, ends):
            time.sleep(max(0.0, (ends - datetime.now(UTC)).total_seconds()) + 0.01)

    def _change_end(self, which: int, lost: bool, closes_at: datetime | None) -> bool:
        with self.announcing(lost), suppress(Conflict, NotFound, VoteError):
            fields = {"closes_at": closes_at}
            change.change(
                self.world.owner, self.world.log, self.competition(which), by=self.organiser, if_match=None, **fields
            )
            return True
        return False

    @rule(who=voters_)
    def erase(self, who: int) -> None:
        voter = self.people[who % len(self.people)]
        assert self.reference.books is not None
        if voter in self.world.read_books().users:
            self.reference.asked.add(voter)
            on_disk = accounts.erase(self.world.owner, self.world.log, by=voter)
            self.look()
            assert not on_disk or voter in self.reference.promised, "R10: said to be in the log, and is not"

    @rule(which=competitions_, whole=st.booleans())
    def decide_over_a_gap(self, which: int, whole: bool) -> None:
        """An admin's word, for one competition or for each open gap."""
        db = self.world.owner
        if whole:
            with db.read() as tx:
                gaps = [row[0] for row in tx.execute("SELECT id FROM log_gaps WHERE decided_at IS NULL")]
            for gap in gaps:
                closing.decide_gap(db, gap, by=self.admin, reason="Looked into.")
        else:
            with suppress(Conflict, NotFound):
                closing.finish_over(db, self.competition(which), by=self.admin, reason="It stands.")
