"""The rules of the ballot log as a small model: what it answers, and what it may hold.

When a worker gets on it cannot know; that it takes from what it is shown. Whether the promises are kept is judged by
`tests/model/promises.py`. The rules (R1 to R10) are those of `docs/protocol.md`; whatever is allowed beyond them is a
fault here.
"""

import time
from collections import defaultdict

from tests.model.facts import Answer, At, Books, Cast, Key, Shard, Told
from vote.ballotlog.entries import Entry, Erasure, Rules, Unreadable
from vote.domain.ballot import Ballot, shard_of

STORES = ("accepted", "changed")


def stored_by(words: dict[str, tuple[str, str | None]]) -> set[str]:
    """The ballots that the log must have appended when it said this."""
    return {ballot for ballot, (word, _) in words.items() if word in STORES}


class Reference:
    """What everybody was told, what the log holds, and what was taken from it."""

    def __init__(self, shards: int) -> None:
        self.shards = [Shard() for _ in range(shards)]
        self.ballots: dict[str, Cast] = {}
        self.told: dict[Key, dict[int, Told]] = defaultdict(dict)
        self.may_land: set[str] = set()
        self.landed: set[str] = set()
        self.asked: set[int] = set()  # erasures
        self.promised: set[int] = set()  # those of them that were once on the log's disk
        self.gone: list[tuple[int, At, str | int]] = []  # shard, place, ballot or erased voter
        self.restored = False
        self.backup: Books | None = None
        self.books: Books | None = None
        self.before: Books | None = None

    def home(self, key: Key) -> Shard:
        return self.shards[shard_of(*key, len(self.shards))]

    # --- the function in the log ---------------------------------------------------------------------------------------
    def decide(self, key: Key, choice: str, had: str | None) -> str:
        """The log's word on one ballot; `had` is the choice that is stored for the voter."""
        shard = self.home(key)
        rules = shard.rules.get(key[0])
        if not shard.ready:
            return "cold"  # R5
        if had == choice:
            return "again"  # R2
        if rules is None:
            return "unknown"
        if rules.state != "open":
            return "early" if rules.state == "scheduled" else "closed"
        if rules.closes_at is not None and rules.closes_at.timestamp() <= time.time():
            return "closed"  # R8
        return "accepted" if had is None else "changed" if rules.allow_change else "already"

    def decide_all(self, ballots: list[str]) -> dict[str, tuple[str, str | None]]:
        """The log's word on each ballot that arrives in this call, in order, and the ballot it rests on."""
        stored = {key: one for shard in self.shards for key, one in shard.stored.items()}
        words: dict[str, tuple[str, str | None]] = {}
        for ballot in ballots:
            key, _, choice = self.ballots[ballot]
            word = self.decide(key, choice, self.ballots[stored[key]].choice if key in stored else None)
            if word in STORES:
                stored[key] = ballot
            elif word == "unknown" and self.books is not None:
                stored |= {one: basis for one, basis in self.books.counted().items() if one == key}
            words[ballot] = word, stored.get(key)
        return words

    def send(self, ballot: str, key: Key, choice: str) -> None:
        """A voter presses the button."""
        n = len(self.told[key]) + 1
        self.ballots[ballot] = Cast(key, n, choice)
        self.told[key][n] = Told(choice, "info", None, None)

    def tell(self, ballot: str, answer: Answer, basis: str | None = None, receipt: object = None) -> None:
        """The voter is told something."""
        cast = self.ballots[ballot]
        self.told[cast.key][cast.n] = Told(cast.choice, answer, basis, receipt)

    # --- what is seen ----------------------------------------------------------------------------------------------------
    def see_books(self, books: Books) -> None:
        """Take in the books; first, because a shard is made ready with what they say."""
        self.before, self.books = self.books, books

    def see(self, number: int, epoch: str, ready: bool, entries: list[Entry]) -> None:
        """Take in what a shard holds now. Raises AssertionError for what it may not hold."""
        shard = self.shards[number]
        if epoch and epoch != (shard.epochs or [""])[-1]:
            assert shard.hurt, f"shard {number} began a new epoch though nothing was lost"
            assert epoch not in shard.epochs, "an epoch's name came back"
            shard.epochs.append(epoch)
            shard.hurt = shard.ready = shard.promoted = shard.rolled_back = shard.behind = False
        seen = {entry.position: entry for entry in entries}
        kept = {position: entry for position, entry in seen.items() if position <= shard.last}
        assert kept == shard.entries, f"shard {number} changed what it held"
        for position, entry in sorted(seen.items()):
            if position > shard.last:
                self._append(shard, entry)
        if ready and not shard.ready:
            self._made_ready(number, shard)
        shard.ready = ready

    def _append(self, shard: Shard, entry: Entry) -> None:
        assert entry.position == shard.last + 1 or not shard.entries, "a hole in the log"
        shard.entries[entry.position] = entry
        match entry.content:
            case Ballot() as ballot:
                assert ballot.id.hex in self.may_land, f"(2) {ballot} must not be stored"
                self.may_land.discard(ballot.id.hex)
                self.landed.add(ballot.id.hex)
                key = ballot.competition, ballot.voter
                assert self.ballots[ballot.id.hex][::2] == (key, ballot.choice)
                shard.before[ballot.id.hex] = shard.stored.get(key)
                shard.stored[key] = ballot.id.hex
            case Rules() as rules:
                had = shard.rules.get(rules.competition)
                assert had is None or rules.version > had.version, "R7: rules went back"
                shard.before[entry.id] = had
                shard.rules[rules.competition] = rules
            case Erasure(voter):
                assert voter in self.asked, "an erasure nobody asked for"
                self.promised.add(voter)
            case Unreadable():
                raise AssertionError(f"unreadable: {entry}")

    def _made_ready(self, number: int, shard: Shard) -> None:
        """R5: drained first; under an epoch that came after another one, the voters of PostgreSQL are known."""
        assert self.books is not None
        epoch, position = self.books.positions[number]
        last = max((place for place, one in shard.entries.items() if isinstance(one.content, Ballot)), default=0)
        assert not shard.rolled_back, "R6: a lost tail was not noticed"
        assert not shard.behind, "R6: what was acknowledged is missing, and PostgreSQL knew it"
        assert not shard.promoted, "R6: a promoted server that nobody waited for goes on as if nothing was lost"
        assert epoch == shard.epochs[-1], "R5: ready before the new epoch was recorded"
        assert position >= last, "R5: ready before it was drained"
        if any(gap.shard == number and gap.new_epoch == epoch for gap in self.books.gaps):
            for key, ballot in self.books.counted().items():
                if self.home(key) is shard:
                    shard.stored[key] = ballot

    # --- what may happen to the log and to PostgreSQL ------------------------------------------------------------------
    def wipe(self, number: int) -> None:
        """The shard is empty, and gone is what it held."""
        shard = self.shards[number]
        self._lose(number, list(shard.entries))
        self.shards[number] = Shard(epochs=shard.epochs, hurt=True)

    def cool(self, number: int, *, hurt: bool, promoted: bool) -> None:
        """Another server instance."""
        shard = self.shards[number]
        shard.ready = False
        shard.hurt |= hurt or promoted
        shard.promoted |= promoted

    def drop_last(self, number: int, *, recorded: bool) -> Entry:
        """The shard comes back without its last entry, as it was before it."""
        shard = self.shards[number]
        shard.rolled_back |= recorded
        self._lose(number, [shard.last])
        entry = shard.entries.pop(shard.last)
        match entry.content, shard.before.get(entry.id):
            case Ballot() as ballot, previous:
                shard.stored.pop((ballot.competition, ballot.voter))
                if isinstance(previous, str):
                    shard.stored[ballot.competition, ballot.voter] = previous
            case Rules(competition), previous:
                shard.rules.pop(competition)
                if isinstance(previous, Rules):
                    shard.rules[competition] = previous
        return entry

    def trim(self, number: int, position: int) -> None:
        """R9: entries below the position are gone from the log; the backup has them."""
        shard = self.shards[number]
        shard.entries = {place: entry for place, entry in shard.entries.items() if place >= position}

    def restore(self) -> None:
        """PostgreSQL is what it was."""
        self.restored = True
        self.books = None
        for shard in self.shards:
            shard.rolled_back = shard.behind = False  # PostgreSQL knows as little of it as the log

    def _lose(self, number: int, positions: list[int]) -> None:
        shard = self.shards[number]
        for position in positions:
            match shard.entries[position].content:
                case Ballot() as ballot:
                    self.gone.append((number, shard.at(position), ballot.id.hex))
                case Erasure(voter):
                    self.gone.append((number, shard.at(position), voter))
