"""Looks up receipts: anyone may check whether one belongs to a stored vote. The answer never shows the choice.

The journal has the receipts of recorded votes. For accepted ones, which are in the ballot log behind the recorded
positions without a receipt, they are computed.
"""

import re
from collections.abc import Iterator
from typing import Literal

from flask import Blueprint, Response

from vote.ballotlog.log import BallotLog
from vote.db import competitions, shard_positions, votes
from vote.db.pool import Database
from vote.domain.ballot import Ballot
from vote.domain.receipt import FORMAT, group_receipt, receipt_code
from vote.errors import NotFound, Unavailable
from vote.services.container import Services
from vote.services.recording_lag import recorded_position
from vote.web import request_context
from vote.web.access import PUBLIC, rule
from vote.web.api.models import Output
from vote.web.api.operations import Operation, answer

receipts = Blueprint("receipts", __name__, url_prefix="/api/receipts")

SHAPE = re.compile(r"(?:[A-Z0-9]{4}-){3}[A-Z0-9]{4}")  # characters that are easily misread: 0 for O, 1 for I
TYPED_MAX_CHARS = 100
LOOK_THROUGH = 10_000  # entries at most; computing their receipts takes some 50 ms
CHUNK = 1_000

NO_SUCH_RECEIPT = "No stored vote has this receipt. Check each character: a receipt has 16 letters and digits."

Status = Literal["accepted", "recorded"]


class ReceiptStatus(Output):
    """The status of a receipt's vote: accepted (on disk in the ballot log) or recorded (committed in the database)."""

    status: Status


@receipts.get("/<code>")
@rule(PUBLIC)
@Operation(tag="voting", answers={200: ReceiptStatus}, problems=(404,))
def show(code: str) -> Response:
    """Check a receipt.

    Case, spaces and hyphens do not matter. The choice is never shown.
    """
    return answer(ReceiptStatus(status=status_of(request_context.services(), code)))


def status_of(services: Services, typed: str) -> Status:
    """Return the status of the vote with this receipt. Raises NotFound; Unavailable if that cannot be determined now."""
    receipt = group_receipt(typed[:TYPED_MAX_CHARS])
    if not FORMAT.fullmatch(receipt):
        raise NotFound(NO_SUCH_RECEIPT)
    if _is_recorded(services.db, receipt):
        return "recorded"
    if _is_in_log(services.db, services.log, receipt):
        return "accepted"
    if _is_recorded(services.db, receipt):  # it was recorded between the two queries
        return "recorded"
    raise NotFound(NO_SUCH_RECEIPT)


def _is_recorded(db: Database, receipt: str) -> bool:
    with db.read() as tx:
        return votes.is_recorded(tx, receipt)


def _is_in_log(db: Database, log: BallotLog, receipt: str) -> bool:
    keys: dict[int, bytes] = {}
    for ballots in _unrecorded(db, log):
        unknown = {ballot.competition for ballot in ballots} - keys.keys()
        if unknown:
            with db.read() as tx:
                keys.update((one.id, one.receipt_key) for one in competitions.find_many(tx, unknown))
        for ballot in ballots:
            key = keys.get(ballot.competition)
            if key is not None and receipt_code(key, ballot.voter) == receipt:
                return True
    return False


def _unrecorded(db: Database, log: BallotLog) -> Iterator[list[Ballot]]:
    """Yield the log's unrecorded ballots, in chunks."""
    with db.read() as tx:
        recorded = shard_positions.all_positions(tx)
    left = LOOK_THROUGH
    for shard in log.describe_all():
        after = recorded_position(shard, recorded)
        while after < shard.last:
            entries = log.read_after(shard.number, after, CHUNK)
            left -= len(entries)
            if left < 0:
                raise Unavailable("Many votes are being recorded right now. Try again in a moment.")
            if not entries:
                break
            after = entries[-1].position
            yield [entry.content for entry in entries if isinstance(entry.content, Ballot)]
