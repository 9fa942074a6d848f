"""The tree of errors. Nothing here knows HTTP; `server/problems.py` maps classes to statuses.

VoteError
├── ConfigError             the environment is missing or wrong; the process does not start
├── InvalidInput            the input is invalid; carries a message per field
├── NotFound                does not exist, or is hidden from this person
│   └── NoSuchCompetition
├── NotLoggedIn             the client is not authenticated
├── NotAllowed              authenticated, but not allowed
├── NotConfirmed            authenticated, but the email address is not confirmed
├── TooManyRequests         above the named limit; nothing was done
│   └── TooManyGuesses      too many wrong passwords; this one was not checked
├── ForgedForm              a browser's form without the token of its session
│   └── NoCookie            a browser's form without any session, so no token can match
├── AlreadyAnswered         a form that was sent before; it gets the same answer again
├── Conflict                the current state does not allow it
│   ├── NameTaken           username or email in use
│   ├── AlreadyVoted        another choice is stored and cannot be changed
│   └── AddressHasVoted     another account has voted from this email address
├── VotingNotOpen           before opening or after closing
├── NoSuchOption            the competition has no such option
├── TooLarge                more bytes or fields than the named limit
├── WrongMediaType          a body of an unsupported type
├── StaleVersion            If-Match names an older version
├── UnreadableVersion       If-Match has no valid ETag
├── VersionRequired         a change without If-Match
├── BackupUnusable          a backup is damaged, incomplete, or cannot be made
└── Unavailable             a part we need is down or cold: not confirmed, try again
    ├── LogUnavailable      the ballot log
    │   ├── LogNotAnswering it is away or frozen
    │   └── ForeignLog      it answers, but belongs to another installation
    ├── DatabaseUnavailable PostgreSQL
    │   └── DatabaseBusy    it answers, but all our connections are in use
    └── HasherBusy          more logins than passwords can be checked
"""

import math

NO_SUCH_ACCOUNT = "There is no such account."
METRICS_REFUSED = "Metrics are available only to the networks in METRICS_NETWORKS."


class VoteError(Exception):
    """Something went wrong."""

    def __init__(self, detail: str | None = None) -> None:
        super().__init__(detail or (type(self).__doc__ or "").strip())

    @property
    def detail(self) -> str:
        """Return a sentence that people can act on."""
        return str(self)


class ConfigError(VoteError):
    """The settings are wrong."""


class InvalidInput(VoteError):
    """Some fields need another look."""

    def __init__(self, fields: dict[str, str], detail: str | None = None) -> None:
        super().__init__(detail)
        self.fields = fields


class NotFound(VoteError):
    """There is nothing at this address."""


class NoSuchCompetition(NotFound):
    """There is no such competition."""


class NotLoggedIn(VoteError):
    """Log in first."""


class NotAllowed(VoteError):
    """Your account is not allowed to do this."""


class NotConfirmed(VoteError):
    """Confirm your email address before you vote: open the link in the email we sent you."""


class TooManyRequests(VoteError):
    """Too many requests. Nothing was done. Wait a moment, then try again."""

    def __init__(self, wait_s: float, detail: str | None = None) -> None:
        super().__init__(detail)
        self.retry_after_s = max(1, math.ceil(wait_s))


class TooManyGuesses(TooManyRequests):
    """Too many wrong passwords. Wait, then try again."""

    def __init__(self, wait_s: float, detail: str | None = None, *, is_locked: bool = False) -> None:
        super().__init__(wait_s, detail)
        self.is_locked = is_locked  # by all networks together; said to nobody


class ForgedForm(VoteError):
    """This form has expired or did not come from this site. Reload the page and send it again."""


class NoCookie(ForgedForm):
    """Your browser sent no cookie. Allow cookies for this site, or open it with https://, then reload the page."""


class AlreadyAnswered(VoteError):
    """This form was already sent, and nothing was done twice. Reload the page to see the current state."""


class Conflict(VoteError):
    """This is not possible in the current state."""


class NameTaken(Conflict):
    """This username or email address is in use."""

    def __init__(self, fields: dict[str, str]) -> None:
        super().__init__()
        self.fields = fields


class AlreadyVoted(Conflict):
    """You have already voted, and votes cannot be changed here. Your first vote counts."""


class AddressHasVoted(Conflict):
    """Your email address has already voted here, with an account that is deleted or has a new address. That vote counts."""


class VotingNotOpen(VoteError):
    """Voting is not open."""


class NoSuchOption(VoteError):
    """This competition has no such option."""


class TooLarge(VoteError):
    """The request is larger than the limit."""


class WrongMediaType(VoteError):
    """Send JSON (application/json) or a form."""


class StaleVersion(VoteError):
    """Someone changed this in the meantime. Reload it and repeat your change."""


class UnreadableVersion(VoteError):
    """If-Match is neither an ETag nor *. Send the ETag you read, with its quotes."""


class VersionRequired(VoteError):
    """If-Match is missing. Send the ETag you read in it, so that nobody's change is overwritten."""


class BackupUnusable(VoteError):
    """This backup cannot be used."""


class Unavailable(VoteError):
    """A part of the service is not answering. Try again in a moment."""

    retry_after_s = 1


class LogUnavailable(Unavailable):
    """Not confirmed: your vote may or may not be stored. Press again: it cannot count twice."""


class LogNotAnswering(LogUnavailable):
    """The ballot log is not answering."""

    @property
    def detail(self) -> str:
        """Return the voter's sentence; the text is for whoever runs the service."""
        return str(LogUnavailable())


class ForeignLog(LogUnavailable):
    """The ballot log belongs to another installation. Nothing was read from it or written to it."""

    def __init__(self, ours: str = "", owner: str = "") -> None:
        super().__init__(foreign_log(ours, owner) if ours else None)

    @property
    def detail(self) -> str:
        """Return the voter's sentence; as text the error names the log's owner, for whoever runs the service."""
        return str(LogUnavailable())


class DatabaseUnavailable(Unavailable):
    """The database is not answering. Try again in a moment."""


class DatabaseBusy(DatabaseUnavailable):
    """The service is busy. Try again in a few seconds."""

    retry_after_s = 2


class HasherBusy(Unavailable):
    """Many people are logging in right now. Try again in a few seconds."""

    retry_after_s = 3


def foreign_log(ours: str, owner: str) -> str:
    """Return a sentence that names the log's owner and the remedies."""
    whose = f"installation {owner}" if owner else "no installation that is known here"
    return (
        f"the ballot log belongs to {whose}, and this is installation {ours}: nothing is read from it or written to it."
        " Set BALLOT_LOG_URL (or REDIS_URL) to a log of its own; `vote log adopt` takes this one over"
    )
