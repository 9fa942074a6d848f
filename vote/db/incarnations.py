"""Incarnations of the database: a promoted standby, a restore and a loaded dump each begin another one, which may lack the
newest rows of the one before.

Whatever counts in order, leaves the database and is trusted when it comes back continues by the clock then: numbers of
competitions, versions of tallies, revisions of competitions. The functions are the schema's (docs/adr/0037).
"""

from typing import LiteralString

from vote.db.pool import Tx

# What versions and revisions count from in this incarnation; 0 in the first. Read once a statement.
VERSIONS_FROM: LiteralString = "(SELECT coalesce(max(value::bigint), 0) FROM settings WHERE key = 'versions_from')"


def note(tx: Tx) -> bool:
    """Begin an incarnation where the database finds itself in another one than is noted. True when it began now.

    Nearly always a read. Whoever gives a number or counts a version up calls it before.
    """
    row = tx.execute("SELECT note_incarnation()").fetchone()
    return row is not None and bool(row[0])


def begin(tx: Tx) -> None:
    """Begin one in any case: something outside knows a number that is not known here."""
    tx.execute("SELECT begin_incarnation()")
