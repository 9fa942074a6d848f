"""Erasures outlive a restore: each is an entry of the ballot log, appended again until it is recorded (R10).

A restored database reads them in the log after its own position, and blanks the account once more.
"""

from vote.ballotlog.log import BallotLog
from vote.db import users
from vote.db.pool import Database

REPEAT_ERASURE_S = 10  # an entry that is on its way is recorded long before


def repeat_erasures(db: Database, log: BallotLog) -> None:
    """Append erasures to the log again that are not recorded (R10). A second entry changes nothing."""
    with db.read() as tx:
        people = users.erasures_to_repeat(tx, after_s=REPEAT_ERASURE_S)
    for person in people:
        log.append_erasure(person)
