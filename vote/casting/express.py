"""The short way of a ballot: everything about it can be decided at once, and only the ballot log is waited for, and the
limit on votes where an account has voted a moment ago.

Nearly all ballots go this way, without a task, a future or an ASGI message of their own, which cost as much as all the
checks together. The checks are the same code (`attempt.py`), in the same order. Whatever is not plain, before or after the
log was asked, goes on in the endpoint with what was done so far; nothing is asked of the log twice.
"""

from vote.ballotlog.pending_ballot import APPENDED, Outcome
from vote.casting import vote_response
from vote.casting.ballot_form import parse
from vote.casting.endpoint import ATTEMPT, VoteEndpoint
from vote.casting.vote_request import VoteRequest, wants_page
from vote.domain.ballot import receipt_code
from vote.errors import LogUnavailable, TooManyRequests, VoteError
from vote.identity.csrf import Header, header_of
from vote.server.middleware import LINE, REQUEST_ID, OnResponse
from vote.server.raw_response import RawResponse, Scope
from vote.services.container import Services


class Express:
    """The short way of one process, beside its endpoint."""

    def __init__(self, services: Services, casting: VoteEndpoint) -> None:
        self._confirmed = services.email_confirmation
        self._casting = casting

    def __call__(self, scope: Scope, competition: int, body: bytes, told: OnResponse) -> bool:
        """Whether the ballot is on its way; if not, nothing was begun. `told(None)`: the endpoint has to go on."""
        header = header_of(scope)
        key = self._casting.receipt_keys.known(competition)
        try:
            attempt = self._casting.reader.read(competition, header, parse(body, header("content-type") or ""))
            choice = attempt.checked_choice()
        except VoteError:
            return False  # the endpoint finds the same, and says it
        if key is None or self._confirmed.needs_lookup(attempt.who):
            return False
        voter = attempt.who.user_id
        scope[ATTEMPT] = attempt

        def decided(outcome: Outcome | LogUnavailable) -> None:
            attempt.outcome = outcome
            if isinstance(outcome, LogUnavailable) or outcome.result not in APPENDED:
                told(None)
                return
            scope[LINE].update(vote_response.line_of(outcome, competition))
            told(self._answer(header, attempt, outcome, receipt_code(key, voter)))

        def counted(refusal: TooManyRequests | None) -> None:
            if refusal is not None:
                attempt.outcome = refusal
                told(None)
                return
            self._casting.box.put(
                competition=competition, voter=voter, choice=choice, ballot_id=scope[REQUEST_ID], tell=decided
            )

        number = self._casting.limit.number(voter)
        if number:
            self._casting.limit.ask(voter, number, counted)
        else:
            counted(None)
        return True

    def _answer(self, header: Header, attempt: VoteRequest, outcome: Outcome, receipt: str) -> RawResponse:
        if wants_page(header):
            answer = vote_response.as_page(attempt.competition)
        else:
            confirmed = vote_response.confirmed(
                outcome, competition=attempt.competition, receipt=receipt, is_recorded=False
            )
            answer = vote_response.as_json(confirmed)
        return answer.plus(self._casting.reader.renewed(attempt))
