"""Entries of the ballot log become votes: the one way in, used by the worker and by every replay.

All of it happens in one transaction that holds the shard's row lock (R4): journal, votes, tallies, markers and the new
position are committed together or not at all. A batch seen again changes nothing.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from psycopg.errors import ForeignKeyViolation, UniqueViolation

from vote.ballotlog.entries import Entry, Erasure, Rules, Unreadable
from vote.db import ballots, competitions, positions, tallies, users
from vote.db.ballots import JournalEntry, Vote
from vote.db.pool import Tx
from vote.db.positions import Position
from vote.domain import chain
from vote.domain.ballot import Ballot, receipt_code
from vote.domain.chain import ChainLink, ballot_digest
from vote.domain.competition import Competition


@dataclass(slots=True)
class Recorded:
    """What a batch did."""

    ballots: int = 0
    unmatched: int = 0
    rejected: int = 0


def record_entries(
    tx: Tx, position: Position, *, epoch: str, entries: Sequence[Entry], doubted_from: int | None = None
) -> Recorded:
    """Record entries that follow `position` in its shard, and move the position behind them. Does not commit.

    `position` is the position as claimed in this transaction. Under another epoch than `position`'s it leaves a gap row
    (R5), from there or from `doubted_from`.
    """
    if position.epoch is not None and position.epoch != epoch:
        after = position.position if doubted_from is None else doubted_from
        positions.insert_gap(tx, shard=position.shard, old_epoch=position.epoch, old_position=after, new_epoch=epoch)
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
        positions.advance(tx, Position(position.shard, epoch, reached, last_entry, head.seq, head.chain))
    return done


def _record_ballots(
    tx: Tx, position: Position, epoch: str, batch: list[tuple[int, Ballot]], done: Recorded
) -> ChainLink:
    """Journal, votes and tally of the ballots of a batch. Returns the head of the shard's journal afterwards."""
    head = ChainLink(position.recorded, b"", position.chain)
    if not batch:
        return head
    known = {one.id: one for one in competitions.find_many(tx, {ballot.competition for _, ballot in batch})}
    placed, unmatched = _match(batch, known)
    placed, late = _of_final(tx, placed, known)
    unmatched += late
    try:
        with tx.transaction():  # a savepoint: one ballot that does not fit must not cost the others their vote
            head = append(tx, position, epoch, placed)
    except (UniqueViolation, ForeignKeyViolation):
        placed, strangers = _drop_duplicates(tx, placed)
        unmatched += strangers
        head = append(tx, position, epoch, placed)
    ballots.insert_unmatched(tx, position.shard, epoch, unmatched)
    done.ballots += len(placed)
    done.unmatched += len(unmatched)
    count(tx, position.shard, [one.ballot for one in placed], known)
    return head


def _match(
    batch: list[tuple[int, Ballot]], known: dict[int, Competition]
) -> tuple[list[JournalEntry], list[JournalEntry]]:
    """Ballots with their receipts, and those whose competition or option is not known here."""
    keys = {one.id: {option.key for option in one.options} for one in known.values()}
    placed, unmatched = [], []
    for position, ballot in batch:
        if ballot.choice in keys.get(ballot.competition, ()):
            receipt = receipt_code(known[ballot.competition].receipt_key, ballot.voter)
            placed.append(JournalEntry(ballot, position, receipt))
        else:
            unmatched.append(JournalEntry(ballot, position, ""))
    return placed, unmatched


def _of_final(
    tx: Tx, placed: list[JournalEntry], known: dict[int, Competition]
) -> tuple[list[JournalEntry], list[JournalEntry]]:
    """Ballots that may count, and new ones of competitions that are final (R8): what comes late counts by an admin's word.

    A competition is final when all that was accepted is recorded. What comes all the same was lost in a gap once, or is no
    ballot of this competition. One that the journal has is neither.
    """
    late = {one.ballot.id for one in placed if known[one.ballot.competition].state == "closed"}
    if not late:
        return placed, []
    late -= ballots.in_journal(tx, late)
    return [one for one in placed if one.ballot.id not in late], [one for one in placed if one.ballot.id in late]


def append(
    tx: Tx, position: Position, epoch: str, placed: Sequence[JournalEntry], *, reinstatement: int | None = None
) -> ChainLink:
    """Append to the journal and its chain. Returns the new head. Raises UniqueViolation, ForeignKeyViolation."""
    digests = (
        ballot_digest(one.ballot, shard=position.shard, epoch=epoch, position=one.position, receipt=one.receipt)
        for one in placed
    )
    links = list(chain.links(position.recorded, position.chain, digests))
    ballots.insert_journal(tx, position.shard, epoch, placed, links, reinstatement=reinstatement)
    return links[-1] if links else ChainLink(position.recorded, b"", position.chain)


def _drop_duplicates(tx: Tx, placed: Sequence[JournalEntry]) -> tuple[list[JournalEntry], list[JournalEntry]]:
    """What the journal does not have yet (R4: only that counts), and ballots of voters not known here (R9)."""
    seen = ballots.in_journal(tx, [one.ballot.id for one in placed])
    fresh = list({one.ballot.id: one for one in placed if one.ballot.id not in seen}.values())
    voters = ballots.known_voters(tx, {one.ballot.voter for one in fresh})
    return (
        [one for one in fresh if one.ballot.voter in voters],
        [one for one in fresh if one.ballot.voter not in voters],
    )


def count(tx: Tx, shard: int, fresh: Sequence[Ballot], known: dict[int, Competition]) -> None:
    """Votes and tally of the ballots that the journal really took (R4)."""
    first: dict[tuple[int, int], Vote] = {}
    last: dict[tuple[int, int], Vote] = {}
    for ballot in fresh:
        vote = Vote(ballot.competition, ballot.voter, ballot.choice, ballot.cast_at)
        if known[ballot.competition].allow_change:
            last[ballot.competition, ballot.voter] = vote
        else:
            first.setdefault((ballot.competition, ballot.voter), vote)
    delta: Counter[tuple[int, str]] = Counter()
    if first:
        delta.update(ballots.insert_first_votes(tx, first.values()))
    if last:
        _replace_votes(tx, last, delta)
    tallies.add(tx, shard, delta)


def _replace_votes(tx: Tx, last: dict[tuple[int, int], Vote], delta: Counter[tuple[int, str]]) -> None:
    # No other worker can touch these voters: each has one shard, and its lock is ours.
    for competition in {competition for competition, _ in last}:
        voters = [voter for one, voter in last if one == competition]
        for choice in ballots.choices_of(tx, competition, voters).values():
            delta[competition, choice] -= 1
    ballots.upsert_last_votes(tx, last.values())
    delta.update((vote.competition, vote.choice) for vote in last.values())


def _apply_rules(tx: Tx, shard: int, rules: Rules) -> None:
    """R7, R8: note a closing marker; after a restore, follow rules that are newer than the restored ones."""
    competition = competitions.find(tx, rules.competition)
    if competition is not None and rules.version > competition.rules_version:
        # Locked only here, so that two workers never wait for each other over the competitions of a batch.
        competition = competitions.lock(tx, rules.competition)
    if competition is None:
        return
    if rules.version > competition.rules_version:
        # Final is never taken from the log: it is reached again through the markers.
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
        positions.set_marker(tx, competition=competition.id, shard=shard, version=rules.version)
