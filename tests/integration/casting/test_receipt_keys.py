"""The receipt keys in memory follow the database, also one that lacks the newest competitions."""

import asyncio
from collections.abc import Callable

from vote.casting.receipt_keys import OVERLAP_IDS, ReceiptKeys
from vote.db.pool import Database
from vote.domain.competition import Competition


def test_keys_are_read_anew_after_a_failover_that_lost_the_newest_competitions(
    owner: Database, make_competition: Callable[..., Competition]
) -> None:
    """A promoted standby gives their ids again: what is kept of the lost ones would sign wrong receipts."""
    kept, keys = make_competition(), ReceiptKeys(owner)
    lost_id = kept.id + 1
    with owner.transaction(by="tests") as tx:
        tx.execute(
            "INSERT INTO competitions (name, status, receipt_key, rules_version)"
            " SELECT 'Lost', 'draft', sha256(n::text::bytea), 1"
            " FROM generate_series(1, %s) n",
            (2 * OVERLAP_IDS,),
        )
    asyncio.run(keys.refresh())
    lost_key = keys.known(lost_id)
    with owner.transaction(by="tests") as tx:
        tx.execute("DELETE FROM competitions WHERE id > %s", (kept.id,))
        tx.execute("SELECT setval(pg_get_serial_sequence('competitions', 'id'), %s)", (kept.id,))

    again = make_competition()
    asyncio.run(keys.refresh())

    assert again.id == lost_id
    assert lost_key is not None
    assert keys.known(lost_id) == again.receipt_key != lost_key
    assert keys.known(kept.id) == kept.receipt_key
