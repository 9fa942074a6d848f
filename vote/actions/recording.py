"""Records entries of the ballot log as votes. The worker and every replay use it; there is no other way in.

Everything happens in one transaction that holds the shard's row lock (R4): journal, votes, tallies, markers and the new
position commit together or not at all. A batch that is read again changes nothing.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from psycopg.errors import ForeignKeyViolation, UniqueViolation

from vote.ballotlog.entries import Entry, Erasure, Rules, Unreadable
from vote.db import ballots, competitions, shard_lock, shard_positions, tallies, users
from vote.db.ballots import JournalEntry
from vote.db.pool import Tx
from vote.db.shard_positions import Position
from vote.domain import chain
from vote.domain.ballot import Ballot
from vote.domain.chain import ChainLink, ballot_digest
from vote.domain.competition import Competition
from vote.domain.receipt import receipt_code


@dataclass(slots=True)
class Recorded:
    """Counts of a batch's ballots: recorded, kept as unmatched, rejected as unreadable."""

    ballots: int = 0
    unmatched: int = 0
    rejected: int = 0


def record_entries(
    tx: Tx, position: Position, *, epoch: str, entries: Sequence[Entry], doubted_from: int | None = None
) -> Recorded:
    """Record entries that follow `position` in its shard, and advance the position past them. Does not commit.

    This transaction must hold the lock of `position`. If `epoch` differs from its epoch, insert a gap row (R5) that
    begins at the position, or at `doubted_from`.
    """
    if position.epoch is not None and position.epoch != epoch:
        after = position.position if doubted_from is None else doubted_from
        shard_positions.insert_gap(
            tx, shard=position.shard, old_epoch=position.epoch, old_position=after, new_epoch=epoch
        )
    done = Recorded()
    # Ballots between two rules entries form one batch; the log's order decides which rules a marker follows.
    batch: list[tuple[int, Ballot]] = []
    for entry in entries:
        match entry.content:
            case Ballot() as ballot:
                batch.append((entry.position, ballot))
            case Rules() as rules:
                _apply_rules(tx, position.shard, rules)
            case Erasure(voter):
                users.replay_erasure(tx, voter)
                users.mark_erased(tx, voter)
            case Unreadable(text, reason):
                ballots.insert_rejected(tx, position.shard, epoch, entry.position, entry=text, reason=reason)
                done.rejected += 1
    head = _record_ballots(tx, position, epoch, batch, done)
    last = entries[-1] if entries else None
    if last or position.epoch != epoch:
        reached, last_entry = (last.position, last.id) if last else (0, None)
        shard_lock.advance(tx, Position(position.shard, epoch, reached, last_entry, head.seq, head.chain))
    return done


def _record_ballots(
    tx: Tx, position: Position, epoch: str, batch: list[tuple[int, Ballot]], done: Recorded
) -> ChainLink:
    """Write journal, votes and tallies of a batch of ballots. Returns the new head of the shard's journal."""
    head = ChainLink(position.recorded, b"", position.chain)
    if not batch:
        return head
    found = competitions.find_many(tx, {ballot.competition for _, ballot in batch})
    known = {competition.id: competition for competition in found}
    matched, unmatched = _match(batch, known)
    matched, late = _of_final(tx, matched, known)
    unmatched += late
    try:
        with tx.transaction():  # a savepoint: one ballot that fails must not undo the others
            head = append(tx, position, epoch, matched)
    except (UniqueViolation, ForeignKeyViolation):
        matched, strangers = _drop_duplicates(tx, matched)
        unmatched += strangers
        head = append(tx, position, epoch, matched)
    ballots.insert_unmatched(tx, position.shard, epoch, unmatched)
    done.ballots += len(matched)
    done.unmatched += len(unmatched)
    count(tx, position.shard, [entry.ballot for entry in matched], known)
    return head


def _match(
    batch: list[tuple[int, Ballot]], known: dict[int, Competition]
) -> tuple[list[JournalEntry], list[JournalEntry]]:
    """Split a batch into ballots with their receipts, and ballots whose competition or option does not exist here."""
    keys = {competition.id: {option.key for option in competition.options} for competition in known.values()}
    matched, unmatched = [], []
    for position, ballot in batch:
        if ballot.choice in keys.get(ballot.competition, ()):
            receipt = receipt_code(known[ballot.competition].receipt_key, ballot.voter)
            matched.append(JournalEntry(ballot, position, receipt))
        else:
            unmatched.append(JournalEntry(ballot, position, ""))
    return matched, unmatched


def _of_final(
    tx: Tx, matched: list[JournalEntry], known: dict[int, Competition]
) -> tuple[list[JournalEntry], list[JournalEntry]]:
    """Split off new ballots of final competitions (R8): late ballots count only by an admin's decision.

    A competition is final once every accepted ballot is recorded. A ballot that still arrives was lost in a gap
    earlier, or does not belong to it; a ballot that the journal already has is neither.
    """
    late = {entry.ballot.id for entry in matched if known[entry.ballot.competition].state == "closed"}
    if not late:
        return matched, []
    late -= ballots.in_journal(tx, late)
    on_time = [entry for entry in matched if entry.ballot.id not in late]
    return on_time, [entry for entry in matched if entry.ballot.id in late]


def append(
    tx: Tx, position: Position, epoch: str, entries: Sequence[JournalEntry], *, reinstatement: int | None = None
) -> ChainLink:
    """Append to the journal and its chain. Returns the new head. Raises UniqueViolation or ForeignKeyViolation."""
    digests = (
        ballot_digest(entry.ballot, shard=position.shard, epoch=epoch, position=entry.position, receipt=entry.receipt)
        for entry in entries
    )
    links = list(chain.links(position.recorded, position.chain, digests))
    ballots.insert_journal(tx, position.shard, epoch, entries, links, reinstatement=reinstatement)
    return links[-1] if links else ChainLink(position.recorded, b"", position.chain)


def _drop_duplicates(tx: Tx, matched: Sequence[JournalEntry]) -> tuple[list[JournalEntry], list[JournalEntry]]:
    """Drop ballots that the journal has (R4). Returns the others, and those whose voters do not exist here (R9)."""
    seen = ballots.in_journal(tx, [entry.ballot.id for entry in matched])
    fresh = list({entry.ballot.id: entry for entry in matched if entry.ballot.id not in seen}.values())
    voters = ballots.known_voters(tx, {entry.ballot.voter for entry in fresh})
    return (
        [entry for entry in fresh if entry.ballot.voter in voters],
        [entry for entry in fresh if entry.ballot.voter not in voters],
    )


def count(tx: Tx, shard: int, fresh: Sequence[Ballot], known: dict[int, Competition]) -> None:
    """Write votes and tallies of ballots that are new in the journal (R4)."""
    first: dict[tuple[int, int], Ballot] = {}
    last: dict[tuple[int, int], Ballot] = {}
    for ballot in fresh:
        if known[ballot.competition].allow_change:
            last[ballot.competition, ballot.voter] = ballot
        else:
            first.setdefault((ballot.competition, ballot.voter), ballot)
    delta: Counter[tuple[int, str]] = Counter()
    if first:
        delta.update(ballots.insert_first_votes(tx, first.values()))
    if last:
        _replace_votes(tx, last, delta)
    tallies.add(tx, shard, delta)


def _replace_votes(tx: Tx, last: dict[tuple[int, int], Ballot], delta: Counter[tuple[int, str]]) -> None:
    # No other worker can touch these voters: each belongs to one shard, and this worker holds its lock.
    for competition in {competition for competition, _ in last}:
        voters = [voter for voted_in, voter in last if voted_in == competition]
        for choice in ballots.choices_of(tx, competition, voters).values():
            delta[competition, choice] -= 1
    ballots.upsert_last_votes(tx, last.values())
    delta.update((ballot.competition, ballot.choice) for ballot in last.values())


def _apply_rules(tx: Tx, shard: int, rules: Rules) -> None:
    """Record a closing marker (R8); after a restore, apply rules that are newer than the restored ones (R7)."""
    competition = competitions.find(tx, rules.competition)
    if competition is not None and rules.version > competition.rules_version:
        # Lock only here, so that two workers never wait for each other over the competitions of a batch.
        competition = competitions.lock(tx, rules.competition)
    if competition is None:
        return
    if rules.version > competition.rules_version:
        # Rules in the log never make a competition final: the recorded markers do, again.
        state = "closing" if rules.state == "closed" else rules.state
        competitions.set_state(
            tx,
            competition.id,
            state,
            rules_version=rules.version,
            opens_at=rules.opens_at,
            closes_at=rules.closes_at,
        )
    if rules.state in ("closing", "closed", "archived"):
        shard_positions.set_marker(tx, competition=competition.id, shard=shard, version=rules.version)
