"""The demo competition of a first start."""

import secrets
from datetime import UTC, datetime

from vote.actions.competitions import RECEIPT_KEY_BYTES
from vote.db import competitions
from vote.db.pool import Database
from vote.domain.competition import keyed_options, next_version


def ensure_demo(db: Database, *, by: str) -> bool:
    """Create an open competition to try, when there is none at all. Returns whether it was created now.

    The worker pushes its rules to the ballot log, so no log is needed here.
    """
    with db.transaction(by=by) as tx:
        if competitions.any_exist(tx):
            return False
        now = datetime.now(UTC)
        competitions.insert(
            tx,
            name="Which stage was the best of the festival?",
            description="A demo competition. Vote, and watch the bars move.",
            state="open",
            receipt_key=secrets.token_bytes(RECEIPT_KEY_BYTES),
            rules_version=next_version(0, now),
            options=keyed_options(["River stage", "Hall stage"]),
        )
        return True
