"""The promises (1) to (7) and their limits, as `docs/protocol.md` has them: in every state, and once all is healed.

What everybody was told and what the log held is known to `tests/model/reference.py`; here is only what it must add up to.
"""

from collections import defaultdict

from tests.model.facts import At, Books, Gap, Key, Status, Told
from tests.model.reference import Reference


class Promises:
    """Judges the books by what the reference knows, and remembers what was published."""

    def __init__(self, reference: Reference) -> None:
        self._known = reference
        self._issued: dict[tuple[int, int], str] = {}  # competition, version -> state
        self._newest: dict[int, int] = {}
        self._states: dict[int, str] = {}
        self._final: dict[int, dict[str, int]] = {}
        self._published: dict[tuple[int, int], dict[str, int]] = {}

    def restored(self, books: Books) -> None:
        """PostgreSQL went back to these books: what was final there is final again."""
        self._states = {one: status.state for one, status in books.competitions.items()}
        self._final = {one: books.tallies[one] for one, state in self._states.items() if state == "closed"}

    def hold_always(self) -> None:
        """Raises AssertionError when a promise does not hold in this state."""
        books = self._known.books
        assert books is not None
        self._journal(books)
        self._votes(books)
        self._receipts(books)
        self._tallies(books)
        if self._known.before is not None:
            self._grown(self._known.before, books)
        for competition, status in books.competitions.items():
            self._state(competition, status, books)

    def _journal(self, books: Books) -> None:
        for ballot, line in books.journal.items():
            assert ballot in self._known.landed, f"{line} was never stored in the log"
            assert self._known.ballots[ballot][::2] == (line.key, line.choice), f"{line} is not what was cast"
        assert books.recorded == len(books.journal), "R4: positions and journal disagree"

    def _votes(self, books: Books) -> None:
        counted = books.counted()
        named = {key: books.journal[ballot].choice for key, ballot in counted.items()}
        assert books.votes == named, "(1) a vote is not the ballot the rule names"
        for key, ballot in counted.items():
            told = self._known.told[key][self._known.ballots[ballot].n]
            assert told.answer != "refused", f"(2) {key}: a refused ballot is counted"

    def _tallies(self, books: Books) -> None:
        for competition, tally in books.tallies.items():
            count = {choice: 0 for choice in tally}
            for (one, _), choice in books.votes.items():
                count[choice] += one == competition
            assert tally == count, f"(3) the tally of {competition} is not the count of its votes"

    def _receipts(self, books: Books) -> None:
        receipts: dict[Key, set[object]] = defaultdict(set)
        for key, told in self._known.told.items():
            receipts[key] |= {one.receipt for one in told.values() if one.answer == "ack"}
        for line in books.journal.values():
            receipts[line.key].add(line.receipt)
        assert all(len(one) <= 1 for one in receipts.values()), "(4) a receipt changed"

    def _grown(self, before: Books, books: Books) -> None:
        assert before.journal.items() <= books.journal.items(), "the journal lost or changed a row"
        for number, (epoch, position) in before.positions.items():
            names, (now, place) = self._known.shards[number].epochs, books.positions[number]
            assert (names.index(now), place) >= (names.index(epoch), position), "a position went back"

    def _state(self, competition: int, status: Status, books: Books) -> None:
        """(5), R7 and R8: versions, and when a tally may be final."""
        version, state = status.version, "closing" if status.state == "closed" else status.state
        known = self._issued.setdefault((competition, version), state)
        assert known == state, f"R7: version {version} was {known} and is {state}"
        newest = self._newest[competition] = max(self._newest.get(competition, 0), version)
        assert version == newest or self._known.restored, "R7: rules went back in PostgreSQL"
        tally, was = books.tallies[competition], self._states.get(competition)
        self._states[competition] = status.state
        if status.state != "closed":
            self._final.pop(competition, None)
            return
        if was != "closed":
            self._became_final(competition, status, books)
        assert self._final.setdefault(competition, tally) == tally, "(5) the tally moved after final"

    def _became_final(self, competition: int, status: Status, books: Books) -> None:
        in_the_way = [
            gap
            for gap in books.gaps
            if not gap.is_decided and status.opened_at is not None and gap.noticed_at >= status.opened_at
        ]
        decided = status.closed_at in books.decisions.get(competition, set())
        unmatched = competition in books.unmatched.values()
        markers = books.markers.get(competition, {})
        assert markers == dict.fromkeys(range(len(self._known.shards)), status.version), (
            "R8: final before it was drained"
        )
        assert decided or not (in_the_way or unmatched), "R8: final over a gap or unmatched ballots without a word"
        for key, told in self._known.told.items():
            for one in told.values() if key[0] == competition else ():
                assert one.answer != "ack" or self._kept(one, key, books) or books.gaps or self._known.restored
        if not (books.gaps or books.decisions.get(competition)):
            tally = books.tallies[competition]
            first = self._published.setdefault((competition, status.version), tally)
            assert first == tally, "(5) one closing published two finals, and the second was not audited"

    def hold_when_quiet(self, books: Books) -> None:
        """Raises AssertionError when a promise does not hold once all is healed and drained."""
        self._acknowledged(books)
        self._kept_twice(books)
        self._erased(books)
        self._gone_on(books)

    def _acknowledged(self, books: Books) -> None:
        counted = books.counted()
        for key, told in self._known.told.items():
            acked = [(n, one.choice) for n, one in told.items() if one.answer == "ack" and self._kept(one, key, books)]
            if acked and key[0] in books.competitions:
                self._right_one(key, acked, counted, books)

    def _kept_twice(self, books: Books) -> None:
        if not self._known.gone:
            in_log = {entry.id for shard in self._known.shards for entry in shard.entries.values()}
            safe = in_log | (set(self._known.backup.journal) if self._known.backup else set())
            assert books.journal.keys() <= safe, "(7) a recorded ballot is in neither the log nor the verified backup"

    def _erased(self, books: Books) -> None:
        lost = {what for _, _, what in self._known.gone} if self._known.restored else set()
        assert self._known.promised & books.users <= books.erased | lost, "(7) an erasure was undone"

    def _gone_on(self, books: Books) -> None:
        assert "closing" not in {status.state for status in books.competitions.values()}, "(6) closing for ever"
        assert all(shard.ready for shard in self._known.shards), "(6) cold for ever"
        for competition, status in books.competitions.items():
            for shard in self._known.shards if status.state != "draft" else ():
                told_rules = shard.rules.get(competition)
                assert told_rules is not None, "(6) a shard never learns the rules"
                assert told_rules.version == status.version, "(6) a shard never learns the newest rules"

    def _kept(self, told: Told, key: Key, books: Books) -> bool:
        """(6) Whether an acknowledged ballot is recorded. False when lost as the limits say; raises when in silence."""
        assert told.basis is not None
        if told.basis in books.journal:
            return True
        place = next(((shard, at) for shard, at, what in self._known.gone if what == told.basis), None)
        in_a_gap = place is not None and any(self._covers(gap, *place) for gap in books.gaps)
        lost_twice = place is not None and self._known.restored
        unknown_now = key[0] not in books.competitions or key[1] not in books.users
        aside = told.basis in books.unmatched and self._known.restored and unknown_now  # R9
        assert in_a_gap or lost_twice or aside, f"(6) an acknowledged ballot of {key} is lost in silence"
        return False

    def _covers(self, gap: Gap, shard: int, at: At) -> bool:
        names = self._known.shards[shard].epochs
        if gap.shard != shard:
            return False
        begins = (names.index(gap.old_epoch) + 1, gap.old_position)
        return begins < at < (names.index(gap.new_epoch) + 1, 0)

    def _right_one(self, key: Key, acked: list[tuple[int, str]], counted: dict[Key, str], books: Books) -> None:
        """(1) The vote is the first or last acknowledged one, or one that was told 503 or nothing."""
        last_counts = books.competitions[key[0]].allow_change
        assert key in counted, f"(1) {key} was acknowledged and has no vote"
        assert last_counts or len({choice for _, choice in acked}) == 1, "(1) two different choices acknowledged"
        vote, (n, choice) = self._known.ballots[counted[key]], max(acked) if last_counts else min(acked)
        if vote.choice != choice and not (vote.n > n if last_counts else vote.n < n):
            assert self._known.told[key][vote.n].answer == "info", (
                f"(1) {key}: a ballot answered earlier or later counts instead"
            )
