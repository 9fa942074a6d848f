"""Verify the journal: numbered without holes, each row as recorded, chained to the previous one, up to the worker's head."""

from collections.abc import Iterator, Mapping
from itertools import groupby

from vote.db import integrity, shard_positions
from vote.db.integrity import JournalRow
from vote.db.pool import Tx
from vote.db.shard_positions import Position
from vote.domain.ballot import Ballot
from vote.domain.chain import BEGINNING, ballot_digest, links
from vote.domain.receipt import receipt_code
from vote.ops.integrity.findings import Findings, OnProgress

BOOK = "journal"
START = Position(-1, None, 0, None, 0, BEGINNING)  # for a shard that no worker knows

Follow = Mapping[str, set[str]]


def check(tx: Tx, findings: Findings, progress: OnProgress) -> None:
    """Check every shard."""
    keys, follow, heads = (
        integrity.receipt_keys(tx),
        integrity.epochs_that_follow(tx),
        shard_positions.all_positions(tx),
    )
    unseen = set(heads)
    for shard, rows in groupby(integrity.journal(tx), key=lambda row: row.shard):
        unseen.discard(shard)
        head = heads.get(shard, START)
        last, placed = _check_rows(rows, head, follow.get(shard, {}), keys, findings, progress)
        if last is not None:
            _check_head(last, head, findings)
        if placed is not None and placed.epoch == head.epoch and placed.position > head.position:
            findings.add(BOOK, name(placed), f"has position {placed.position}, beyond the worker's {head.position}")
    for shard in unseen:
        if heads[shard].recorded:
            findings.add(BOOK, _span(shard, 1, heads[shard].recorded), "missing: this shard's journal is gone")


def _check_rows(
    rows: Iterator[JournalRow],
    head: Position,
    follow: Follow,
    keys: Mapping[int, bytes],
    findings: Findings,
    progress: OnProgress,
) -> tuple[JournalRow | None, JournalRow | None]:
    """Check one shard row by row. Return the last row, and the last row at its place in the log (reinstated ones come
    later).
    """
    before: JournalRow | None = None
    placed: JournalRow | None = None
    for row in rows:
        for problem in (
            *_order_problems(row, before, head, findings),
            *(() if row.is_reinstated else _position_problems(row, placed, follow)),
            *_content_problems(row, keys.get(row.competition, b"")),
        ):
            findings.add(BOOK, name(row), problem)
        before, placed = row, placed if row.is_reinstated else row
        progress(1)
    return before, placed


def _order_problems(row: JournalRow, before: JournalRow | None, head: Position, findings: Findings) -> Iterator[str]:
    seq, chain = (before.seq, before.chain) if before else (0, BEGINNING)
    if row.seq > seq + 1:
        findings.add(BOOK, _span(row.shard, seq + 1, row.seq - 1), f"missing before ballot {row.id}: removed")
    elif row.seq <= seq:
        yield "has a number that was used before: inserted"
    elif next(links(seq, chain, [row.digest])).chain != row.chain:
        yield "does not follow from the previous row: one of the two was changed, moved or inserted"
    if row.seq > head.recorded:
        yield f"is beyond the {head.recorded:,} rows that the worker has recorded: inserted"


def _position_problems(row: JournalRow, before: JournalRow | None, follow: Follow) -> Iterator[str]:
    if before is None:
        return
    if row.epoch == before.epoch:
        if row.position <= before.position:
            yield f"has position {row.position}, not after the previous row's {before.position}, in the same epoch"
    elif not _leads_to(follow, before.epoch, row.epoch):
        yield f"begins epoch {row.epoch} after {before.epoch} without a gap row"


def _content_problems(row: JournalRow, receipt_key: bytes) -> Iterator[str]:
    if row.is_retired:
        if (row.voter, row.choice, row.receipt) != (None, None, None):
            yield "is retired but still holds voter, choice or receipt"
        return
    if row.voter is None or row.choice is None or row.receipt is None:
        yield "lacks its voter, choice or receipt but is not retired"
        return
    if digest_of(row, row.voter, row.choice, row.receipt) != row.digest:
        yield "is not as recorded: its content was changed (digest)"
    if receipt_code(receipt_key, row.voter) != row.receipt:
        yield "has a receipt that is not its voter's in this competition"


def digest_of(row: JournalRow, voter: int, choice: str, receipt: str) -> bytes:
    """Return the digest that this row has if it is this voter's ballot for this choice."""
    ballot = Ballot(row.id, row.competition, voter, choice, row.cast_at)
    return ballot_digest(ballot, shard=row.shard, epoch=row.epoch, position=row.position, receipt=receipt)


def _check_head(last: JournalRow, head: Position, findings: Findings) -> None:
    if last.seq < head.recorded:
        findings.add(
            BOOK,
            _span(last.shard, last.seq + 1, head.recorded),
            f"missing: the journal ends with ballot {last.id}, but the worker has recorded {head.recorded:,} rows",
        )
    elif last.seq == head.recorded and last.chain != head.chain:
        findings.add(BOOK, name(last), "is not the row that the worker recorded last: its chain value differs")


def _leads_to(follow: Follow, old: str, new: str) -> bool:
    """Return whether gap rows lead from one epoch to the other, directly or through epochs without ballots."""
    seen, ahead = {old}, [old]
    while ahead:
        fresh = follow.get(ahead.pop(), set()) - seen
        if new in fresh:
            return True
        seen |= fresh
        ahead += fresh
    return False


def name(row: JournalRow) -> str:
    """Return how findings name this row."""
    return f"shard {row.shard}, seq {row.seq}, ballot {row.id}"


def _span(shard: int, first: int, last: int) -> str:
    return f"shard {shard}, seq {first}" + ("" if first == last else f" to {last}")
