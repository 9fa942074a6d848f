"""The rules of the ballot log as a small model, which `tests/system/test_model.py` holds against the real code.

It predicts what the log answers, and judges what the books in PostgreSQL say: in every state (`broken_always`) and once
all is healed and drained (`broken_quiet`). When a worker gets on it cannot know; that it takes from what it is shown.
The promises (1) to (7) and the limits are those of `docs/protocol.md`; whatever is allowed beyond them is a fault here.
"""

import time
from collections import defaultdict
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal, NamedTuple

from vote.ballotlog.entries import Entry, Erasure, Rules, Unreadable
from vote.domain.ballot import Ballot, shard_of

Key = tuple[int, int]  # competition, voter
At = tuple[int, int]  # number of the epoch, position
Answer = Literal["ack", "refused", "503", "info"]  # info: no answer at all


STORES = ("accepted", "changed")


class Cast(NamedTuple):
    """A ballot that was sent: the voter's n-th."""

    key: Key
    n: int
    choice: str


class Told(NamedTuple):
    """What a voter was told of a ballot; `basis` is the id of the stored ballot that an acknowledgement rests on."""

    choice: str
    answer: Answer
    basis: str | None
    receipt: object


class Line(NamedTuple):
    """One row of the journal."""

    shard: int
    seq: int
    key: Key
    choice: str
    receipt: str


class Status(NamedTuple):
    """One competition in PostgreSQL."""

    state: str
    version: int
    allow_change: bool
    opened_at: datetime | None
    closed_at: datetime | None


class Gap(NamedTuple):
    """One row of log_gaps."""

    shard: int
    old_epoch: str
    old_position: int
    new_epoch: str
    noticed_at: datetime
    is_decided: bool


class Books(NamedTuple):
    """All that PostgreSQL says."""

    journal: dict[str, Line]
    votes: dict[Key, str]
    tallies: dict[int, dict[str, int]]
    positions: dict[int, tuple[str, int]]
    recorded: int
    competitions: dict[int, Status]
    gaps: list[Gap]
    unmatched: dict[str, int]
    decisions: dict[int, set[datetime]]
    markers: dict[int, dict[int, int]]
    users: set[int]
    erased: set[int]

    def counted(self) -> dict[Key, str]:
        """The ballot of each voter that the competition's rule names: the first or the last of the journal."""
        named: dict[Key, str] = {}
        for ballot, line in sorted(self.journal.items(), key=lambda item: (item[1].shard, item[1].seq)):
            if line.key not in named or self.competitions[line.key[0]].allow_change:
                named[line.key] = ballot
        return named


def stored_by(words: dict[str, tuple[str, str | None]]) -> set[str]:
    """The ballots that the log must have appended when it said this."""
    return {ballot for ballot, (word, _) in words.items() if word in STORES}


@dataclass
class Shard:
    """One shard of the log, as it must be."""

    epochs: list[str] = field(default_factory=list)
    entries: dict[int, Entry] = field(default_factory=dict)
    rules: dict[int, Rules] = field(default_factory=dict)
    stored: dict[Key, str] = field(default_factory=dict)
    before: dict[str, str | Rules | None] = field(default_factory=dict)  # what an entry took the place of
    ready: bool = False
    hurt: bool = True  # it lost something, or may have: a new epoch may begin
    promoted: bool = False  # another server took its place, and nobody had waited for that one: a new epoch must begin
    rolled_back: bool = False  # it lost what was recorded: a new epoch must begin

    @property
    def last(self) -> int:
        return max(self.entries, default=0)

    def at(self, position: int) -> At:
        return len(self.epochs), position


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
        self.issued: dict[tuple[int, int], str] = {}  # competition, version -> state
        self.newest: dict[int, int] = {}
        self.states: dict[int, str] = {}
        self.final: dict[int, dict[str, int]] = {}
        self.published: dict[tuple[int, int], dict[str, int]] = {}
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
            shard.hurt = shard.ready = shard.promoted = shard.rolled_back = False
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

    def restore(self, books: Books) -> None:
        """PostgreSQL is what it was."""
        self.restored = True
        self.books = None
        for shard in self.shards:
            shard.rolled_back = False  # PostgreSQL knows as little of it as the log
        self.states = {one: status.state for one, status in books.competitions.items()}
        self.final = {one: books.tallies[one] for one, state in self.states.items() if state == "closed"}

    def _lose(self, number: int, positions: list[int]) -> None:
        shard = self.shards[number]
        for position in positions:
            match shard.entries[position].content:
                case Ballot() as ballot:
                    self.gone.append((number, shard.at(position), ballot.id.hex))
                case Erasure(voter):
                    self.gone.append((number, shard.at(position), voter))

    # --- promises --------------------------------------------------------------------------------------------------------
    def broken_always(self) -> None:
        """Raises AssertionError when a promise does not hold in this state."""
        books = self.books
        assert books is not None
        for ballot, line in books.journal.items():
            assert ballot in self.landed, f"{line} was never stored in the log"
            assert self.ballots[ballot][::2] == (line.key, line.choice), f"{line} is not what was cast"
        counted = books.counted()
        assert books.votes == {key: books.journal[ballot].choice for key, ballot in counted.items()}, (
            "(1) a vote is not the ballot the rule names"
        )
        for key, ballot in counted.items():
            assert self.told[key][self.ballots[ballot].n].answer != "refused", f"(2) {key}: a refused ballot is counted"
        self._receipts(books)
        for competition, tally in books.tallies.items():
            count = {choice: 0 for choice in tally}
            for (one, _), choice in books.votes.items():
                count[choice] += one == competition
            assert tally == count, f"(3) the tally of {competition} is not the count of its votes"
        assert books.recorded == len(books.journal), "R4: positions and journal disagree"
        if self.before is not None:
            self._grown(self.before, books)
        for competition, status in books.competitions.items():
            self._state(competition, status, books)

    def _receipts(self, books: Books) -> None:
        receipts: dict[Key, set[object]] = defaultdict(set)
        for key, told in self.told.items():
            receipts[key] |= {one.receipt for one in told.values() if one.answer == "ack"}
        for line in books.journal.values():
            receipts[line.key].add(line.receipt)
        assert all(len(one) <= 1 for one in receipts.values()), "(4) a receipt changed"

    def _grown(self, before: Books, books: Books) -> None:
        assert before.journal.items() <= books.journal.items(), "the journal lost or changed a row"
        for number, (epoch, position) in before.positions.items():
            names, (now, place) = self.shards[number].epochs, books.positions[number]
            assert (names.index(now), place) >= (names.index(epoch), position), "a position went back"

    def _state(self, competition: int, status: Status, books: Books) -> None:
        """(5), R7 and R8: versions, and when a tally may be final."""
        version, state = status.version, "closing" if status.state == "closed" else status.state
        known = self.issued.setdefault((competition, version), state)
        assert known == state, f"R7: version {version} was {known} and is {state}"
        newest = self.newest[competition] = max(self.newest.get(competition, 0), version)
        assert version == newest or self.restored, "R7: rules went back in PostgreSQL"
        tally, was = books.tallies[competition], self.states.get(competition)
        self.states[competition] = status.state
        if status.state != "closed":
            self.final.pop(competition, None)
            return
        if was != "closed":
            self._became_final(competition, status, books)
        assert self.final.setdefault(competition, tally) == tally, "(5) the tally moved after final"

    def _became_final(self, competition: int, status: Status, books: Books) -> None:
        in_the_way = [
            gap
            for gap in books.gaps
            if not gap.is_decided and status.opened_at is not None and gap.noticed_at >= status.opened_at
        ]
        decided = status.closed_at in books.decisions.get(competition, set())
        unmatched = competition in books.unmatched.values()
        markers = books.markers.get(competition, {})
        assert markers == dict.fromkeys(range(len(self.shards)), status.version), "R8: final before it was drained"
        assert decided or not (in_the_way or unmatched), "R8: final over a gap or unmatched ballots without a word"
        if not (books.gaps or books.decisions.get(competition)):
            tally = books.tallies[competition]
            first = self.published.setdefault((competition, status.version), tally)
            assert first == tally, "(5) one closing published two finals, and the second was not audited"

    def broken_quiet(self, books: Books) -> None:
        """Raises AssertionError when a promise does not hold once all is healed and drained."""
        counted = books.counted()
        for key, told in self.told.items():
            acked = [(n, one.choice) for n, one in told.items() if one.answer == "ack" and self._kept(one, key, books)]
            if acked and key[0] in books.competitions:
                self._right_one(key, acked, counted, books)
        if not self.gone:
            in_log = {entry.id for shard in self.shards for entry in shard.entries.values()}
            safe = in_log | (set(self.backup.journal) if self.backup else set())
            assert books.journal.keys() <= safe, "(7) a recorded ballot is in neither the log nor the verified backup"
        lost = {what for _, _, what in self.gone} if self.restored else set()
        assert self.promised & books.users <= books.erased | lost, "(7) an erasure was undone"
        assert "closing" not in {status.state for status in books.competitions.values()}, "(6) closing for ever"
        assert all(shard.ready for shard in self.shards), "(6) cold for ever"
        for competition, status in books.competitions.items():
            for shard in self.shards if status.state != "draft" else ():
                told_rules = shard.rules.get(competition)
                assert told_rules is not None, "(6) a shard never learns the rules"
                assert told_rules.version == status.version, "(6) a shard never learns the newest rules"

    def _kept(self, told: Told, key: Key, books: Books) -> bool:
        """(6) Whether an acknowledged ballot is recorded. False when lost as the limits say; raises when in silence."""
        assert told.basis is not None
        if told.basis in books.journal:
            return True
        place = next(((shard, at) for shard, at, what in self.gone if what == told.basis), None)
        in_a_gap = place is not None and any(self._covers(gap, *place) for gap in books.gaps)
        lost_twice = place is not None and self.restored
        unknown_now = key[0] not in books.competitions or key[1] not in books.users
        aside = told.basis in books.unmatched and self.restored and unknown_now  # R9
        assert in_a_gap or lost_twice or aside, f"(6) an acknowledged ballot of {key} is lost in silence"
        return False

    def _covers(self, gap: Gap, shard: int, at: At) -> bool:
        names = self.shards[shard].epochs
        if gap.shard != shard:
            return False
        begins = (names.index(gap.old_epoch) + 1, gap.old_position)
        return begins < at < (names.index(gap.new_epoch) + 1, 0)

    def _right_one(self, key: Key, acked: list[tuple[int, str]], counted: dict[Key, str], books: Books) -> None:
        """(1) The vote is the first or last acknowledged one, or one that was told 503 or nothing."""
        last_counts = books.competitions[key[0]].allow_change
        assert key in counted, f"(1) {key} was acknowledged and has no vote"
        assert last_counts or len({choice for _, choice in acked}) == 1, "(1) two different choices acknowledged"
        vote, (n, choice) = self.ballots[counted[key]], max(acked) if last_counts else min(acked)
        if vote.choice != choice and not (vote.n > n if last_counts else vote.n < n):
            assert self.told[key][vote.n].answer == "info", (
                f"(1) {key}: a ballot answered earlier or later counts instead"
            )
