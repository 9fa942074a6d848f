"""Check whether an account's email address allows it to vote, where EMAIL_CONFIRMATION requires a confirmed one.

A login carries whether it needs a lookup, so most votes ask no database. Two kinds need one: accounts that had not
confirmed their address when the login began, and accounts whose address another account left while voting was open
(`db/left_addresses.py`): one mailbox has one vote in a competition.
"""

from vote.ballotlog.log import BallotLog
from vote.db import left_addresses, users, votes
from vote.db.pool import Database, Tx
from vote.errors import AddressHasVoted, NotConfirmed
from vote.identity.authenticator import Identity


class EmailConfirmation:
    """Check addresses for one process, and cache logins that have passed."""

    def __init__(self, db: Database, log: BallotLog) -> None:
        self._db = db
        self._log = log
        # Logins, not accounts: taking an address that another account left ends all logins, and the next one is checked.
        self._known: set[str] = set()

    def needs_lookup(self, who: Identity) -> bool:
        """Return whether `check` has to ask the database about this login."""
        return not who.confirmed and who.subject not in self._known

    def check(self, who: Identity, competition: int) -> None:
        """Raise NotConfirmed or AddressHasVoted if this login may not vote; Unavailable if that cannot be looked up."""
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
        """Raise AddressHasVoted, unless the account has its own vote here: then the log answers (R2)."""
        if not left_addresses.is_spent(tx, competition, voter):
            return
        if votes.choice_of(tx, competition, voter) is None and self._log.stored_choice(competition, voter) is None:
            raise AddressHasVoted
