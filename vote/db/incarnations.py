"""Incarnations of the database: a promoted standby, a restore and a loaded dump each begin another one.

An incarnation may lack the newest rows of the previous one. So every sequential value that leaves the database and is
trusted when it comes back continues from the clock: ids of competitions, versions of tallies, revisions of
competitions. The functions are in the schema (docs/adr/0037).
"""

from typing import LiteralString

from vote.db.pool import Tx

# Where versions and revisions start in this incarnation; 0 in the first. Read once per statement.
VERSIONS_FROM: LiteralString = "(SELECT coalesce(max(value::bigint), 0) FROM settings WHERE key = 'versions_from')"


def note(tx: Tx) -> bool:
    """Begin an incarnation if the database has entered another one than is noted. Returns whether it began now.

    Nearly always it only reads. Call it before giving an id or incrementing a version.
    """
    return bool(tx.fetch_value("SELECT note_incarnation()"))


def begin(tx: Tx) -> None:
    """Begin an incarnation in any case: something outside knows an id that is not known here."""
    tx.execute("SELECT begin_incarnation()")
