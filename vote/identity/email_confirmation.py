"""Who may vote as far as the e-mail address is concerned, where EMAIL_CONFIRMATION asks for one that is confirmed.

A login says itself whether it has to be looked up, so most votes ask nobody. Looked up are those of accounts that had not
confirmed the address when the login began, and of those whose address somebody else has left while voting was open
(`db/left_addresses.py`): one mailbox has one vote in a competition.
"""

from vote.ballotlog.log import BallotLog
from vote.db import left_addresses, users, votes
from vote.db.pool import Database, Tx
from vote.errors import AddressHasVoted, NotConfirmed
from vote.identity.authenticator import Identity


class EmailConfirmation:
    """What one process knows."""

    def __init__(self, db: Database, log: BallotLog) -> None:
        self._db = db
        self._log = log
        # Logins, not people: who moves to an address that was left is logged out, and asked about with the next login.
        self._known: set[str] = set()

    def needs_lookup(self, who: Identity) -> bool:
        """Whether `check` would have to ask the database about this login."""
        return not who.confirmed and who.subject not in self._known

    def check(self, who: Identity, competition: int) -> None:
        """Raises NotConfirmed or AddressHasVoted; Unavailable when it has to be asked and cannot be."""
        if not self.needs_lookup(who):
            return
        with self._db.read() as tx:
            if not users.is_confirmed(tx, who.user_id):
                raise NotConfirmed
            if left_addresses.is_of(tx, who.user_id):
                self._check_address(tx, who.user_id, competition)
                return
        self._known.add(who.subject)

    def _check_address(self, tx: Tx, voter: int, competition: int) -> None:
        """Raises AddressHasVoted; who has a vote of their own here is answered by the log (R2)."""
        if not left_addresses.is_spent(tx, competition, voter):
            return
        if votes.choice_of(tx, competition, voter) is None and self._log.stored_choice(competition, voter) is None:
            raise AddressHasVoted
