"""Turns the log's decision on a ballot into the voter's answer, in the terms of docs/glossary.md.

Only an append that is on disk is called accepted (R1). A 4xx is a promise: this ballot is not and will not be counted.
"""

from urllib.parse import quote

import orjson

from vote.ballotlog.pending_ballot import Outcome
from vote.errors import AlreadyVoted, NoSuchOption, VoteError, VotingNotOpen
from vote.server.raw_response import RawResponse

NOT_OPEN_YET = "Voting has not started yet. Nothing was stored. Come back when it starts."
CLOSED = "Voting has ended. This vote was not stored and will not be counted."


def as_json(outcome: Outcome, competition: int, *, receipt: str, is_recorded: bool) -> RawResponse:
    """Return the answer to a script or an API client whose ballot is accepted, changed, or was stored before."""
    body: dict[str, object] = {"status": "accepted", "competition": competition, "receipt": receipt}
    if outcome.result == "again":
        body["status"] = "recorded" if is_recorded else "accepted"
    elif outcome.result == "changed":
        body["changed"] = True
    return RawResponse(200 if outcome.result == "again" else 202, b"application/json", orjson.dumps(body), [])


def as_page(competition: int) -> RawResponse:
    """Return a browser's redirect to the competition's page, which shows the receipt."""
    return RawResponse(303, b"text/plain", b"", [(b"location", b"/vote/%d" % competition)])


def log_fields(outcome: Outcome, competition: int) -> dict[str, object]:
    """Return the ballot's fields for the request's log line: its place in the log, never its voter or choice."""
    line: dict[str, object] = {"competition": competition, "outcome": outcome.result, "shard": outcome.shard}
    if outcome.position is not None:
        line |= {"epoch": outcome.epoch, "position": outcome.position}
    return line


def refusal(outcome: Outcome) -> VoteError | None:
    """Return the error for a ballot that is not stored; None if it is, or if the log does not know the competition."""
    match outcome.result:
        case "already":
            return AlreadyVoted()
        case "early":
            return VotingNotOpen(NOT_OPEN_YET)
        case "closed":
            return VotingNotOpen(CLOSED)
        case "no_option":
            return NoSuchOption("This competition has no such option. Nothing was stored; choose one that is listed.")
        case _:
            return None


def log_in_url(competition: int, choice: str | None) -> str:
    """Return the URL of the login page from which a browser returns with its choice kept."""
    back = f"/vote/{competition}" + (f"?choice={quote(choice, safe='')}" if choice else "")
    return f"/login?next={quote(back, safe='')}"
