"""The journal: numbered without a hole, each row as it was recorded, chained to the one before, up to the worker's head."""

from collections.abc import Iterator, Mapping
from itertools import groupby

from vote.db import integrity, positions
from vote.db.integrity import JournalRow
from vote.db.pool import Tx
from vote.db.positions import Position
from vote.domain.ballot import Ballot, receipt_code
from vote.domain.chain import BEGINNING, ballot_digest, links
from vote.ops.integrity.findings import Findings, OnProgress

BOOK = "journal"
START = Position(-1, None, 0, None, 0, BEGINNING)  # of a shard that no worker knows

Follow = Mapping[str, set[str]]


def check(tx: Tx, findings: Findings, progress: OnProgress) -> None:
    """Check every shard."""
    keys, follow, heads = integrity.receipt_keys(tx), integrity.epochs_that_follow(tx), positions.all_positions(tx)
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
            findings.add(
                BOOK, _span(shard, 1, heads[shard].recorded), "missing: nothing of this shard's journal is there"
            )


def _check_rows(
    rows: Iterator[JournalRow],
    head: Position,
    follow: Follow,
    keys: Mapping[int, bytes],
    findings: Findings,
    progress: OnProgress,
) -> tuple[JournalRow | None, JournalRow | None]:
    """Check one shard row by row. Returns the last one, and the last one that stands where it lay in the log.

    A reinstated one stands later.
    """
    before: JournalRow | None = None
    placed: JournalRow | None = None
    for row in rows:
        for problem in (
            *_of_order(row, before, head, findings),
            *(() if row.is_reinstated else _of_place(row, placed, follow)),
            *_of_content(row, keys.get(row.competition, b"")),
        ):
            findings.add(BOOK, name(row), problem)
        before, placed = row, placed if row.is_reinstated else row
        progress(1)
    return before, placed


def _of_order(row: JournalRow, before: JournalRow | None, head: Position, findings: Findings) -> Iterator[str]:
    seq, chain = (before.seq, before.chain) if before else (0, BEGINNING)
    if row.seq > seq + 1:
        findings.add(BOOK, _span(row.shard, seq + 1, row.seq - 1), f"missing before ballot {row.id}: removed")
    elif row.seq <= seq:
        yield "has a number that was given before: inserted"
    elif next(links(seq, chain, [row.digest])).chain != row.chain:
        yield "does not follow from the row before it: one of the two was changed, put elsewhere or inserted"
    if row.seq > head.recorded:
        yield f"lies beyond the {head.recorded:,} rows that the worker has recorded: inserted"


def _of_place(row: JournalRow, before: JournalRow | None, follow: Follow) -> Iterator[str]:
    if before is None:
        return
    if row.epoch == before.epoch:
        if row.position <= before.position:
            yield f"has position {row.position}, not after {before.position} of the row before it, in one epoch"
    elif not _leads_to(follow, before.epoch, row.epoch):
        yield f"begins epoch {row.epoch} after {before.epoch}, and no gap row says so"


def _of_content(row: JournalRow, receipt_key: bytes) -> Iterator[str]:
    if row.is_retired:
        if (row.voter, row.choice, row.receipt) != (None, None, None):
            yield "is retired and still says who voted what"
        return
    if row.voter is None or row.choice is None or row.receipt is None:
        yield "lacks its voter, choice or receipt, and is not retired"
        return
    if digest_of(row, row.voter, row.choice, row.receipt) != row.digest:
        yield "is not what was recorded: its content was changed (digest)"
    if receipt_code(receipt_key, row.voter) != row.receipt:
        yield "has a receipt that is not the one of its voter in this competition"


def digest_of(row: JournalRow, voter: int, choice: str, receipt: str) -> bytes:
    """The digest this row has when it is the ballot of this voter for this choice."""
    ballot = Ballot(row.id, row.competition, voter, choice, row.cast_at)
    return ballot_digest(ballot, shard=row.shard, epoch=row.epoch, position=row.position, receipt=receipt)


def _check_head(last: JournalRow, head: Position, findings: Findings) -> None:
    if last.seq < head.recorded:
        findings.add(
            BOOK,
            _span(last.shard, last.seq + 1, head.recorded),
            f"missing: the journal ends with ballot {last.id}, and the worker has recorded {head.recorded:,} rows",
        )
    elif last.seq == head.recorded and last.chain != head.chain:
        findings.add(BOOK, name(last), "is not the row that the worker recorded last: its chain value differs")


def _leads_to(follow: Follow, old: str, new: str) -> bool:
    """Whether gap rows lead from one epoch to the other, also by way of epochs that held no ballot."""
    seen, ahead = {old}, [old]
    while ahead:
        fresh = follow.get(ahead.pop(), set()) - seen
        if new in fresh:
            return True
        seen |= fresh
        ahead += fresh
    return False


def name(row: JournalRow) -> str:
    """How a finding names a row."""
    return f"shard {row.shard}, seq {row.seq}, ballot {row.id}"


def _span(shard: int, first: int, last: int) -> str:
    return f"shard {shard}, seq {first}" + ("" if first == last else f" to {last}")
