"""Who has confirmed the e-mail address, where EMAIL_CONFIRMATION asks for it before voting.

A login that began afterwards says so itself, so a vote asks nobody. Only one that began before is looked up, until its
owner has confirmed; that is remembered, for an address once confirmed is not unconfirmed again.
"""

from vote.db import users
from vote.db.pool import Database
from vote.edge.identity import Identity
from vote.errors import NotConfirmed


class Confirmed:
    """What one process knows."""

    def __init__(self, db: Database) -> None:
        self._db = db
        self._known: set[int] = set()

    def must_be_asked(self, who: Identity) -> bool:
        """Whether `check` would have to ask the database about this login."""
        return not who.confirmed and who.user_id not in self._known

    def check(self, who: Identity) -> None:
        """Raises NotConfirmed; DatabaseUnavailable when it has to be asked and cannot be."""
        if not self.must_be_asked(who):
            return
        with self._db.read() as tx:
            if not users.is_confirmed(tx, who.user_id):
                raise NotConfirmed
        self._known.add(who.user_id)
