"""What a voter is told for what the log decided, in the words of docs/glossary.md.

Only an append that is on disk is called accepted (R1). A 4xx is a promise: this ballot is not and will not be counted.
"""

from typing import NamedTuple
from urllib.parse import quote

import orjson

from vote.ballotlog.pending_ballot import Outcome
from vote.errors import AlreadyVoted, NoSuchOption, VoteError, VotingNotOpen
from vote.server.raw_response import RawResponse


class VoteResponse(NamedTuple):
    """A confirmed ballot: status and body of the answer."""

    status: int
    body: dict[str, object]


def confirmed(outcome: Outcome, *, competition: int, receipt: str, is_recorded: bool) -> VoteResponse:
    """The answer for a ballot that is stored: accepted, changed, or there already."""
    body: dict[str, object] = {"status": "accepted", "competition": competition, "receipt": receipt}
    if outcome.result == "again":
        return VoteResponse(200, {**body, "status": "recorded" if is_recorded else "accepted"})
    if outcome.result == "changed":
        body["changed"] = True
    return VoteResponse(202, body)


def as_json(told: VoteResponse) -> RawResponse:
    """The answer for a script, and for a client of the API."""
    return RawResponse(told.status, b"application/json", orjson.dumps(told.body), [])


def as_page(competition: int) -> RawResponse:
    """The answer for a browser that shows what it gets: the page of the competition, which shows the receipt."""
    return RawResponse(303, b"text/plain", b"", [(b"location", b"/vote/%d" % competition)])


def line_of(outcome: Outcome, competition: int) -> dict[str, object]:
    """What the request's line says of a ballot: where it lies, never whose it is or for what."""
    line: dict[str, object] = {"competition": competition, "outcome": outcome.result, "shard": outcome.shard}
    if outcome.position is not None:
        line["position"] = outcome.position
    return line


def refusal(outcome: Outcome) -> VoteError | None:
    """The error for a ballot that is not stored; None when it is, or when the log does not know the competition."""
    match outcome.result:
        case "already":
            return AlreadyVoted()
        case "early":
            return VotingNotOpen("Voting has not opened yet. Nothing was stored; come back when it opens.")
        case "closed":
            return VotingNotOpen("Voting has closed. This vote was not stored and is not counted.")
        case "no_option":
            return NoSuchOption("This competition has no such option. Nothing was stored; choose one that is listed.")
        case _:
            return None


def log_in_url(competition: int, choice: str | None) -> str:
    """Where a browser goes to log in, and comes back from with its choice kept."""
    back = f"/vote/{competition}" + (f"?choice={quote(choice, safe='')}" if choice else "")
    return f"/login?next={quote(back, safe='')}"
