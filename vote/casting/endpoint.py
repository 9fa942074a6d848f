"""`POST /vote/<id>`: parse → authenticate → limit → cast → answer, from top to bottom.

Bare ASGI: a framework's routing costs 40 % of the requests a second. Bearer tokens and sessions take the same path.
"""

import asyncio
from collections.abc import Awaitable, Callable

import structlog

from vote.ballotlog.ballot_box import BallotBox
from vote.ballotlog.pending_ballot import Outcome
from vote.casting import vote_response
from vote.casting.ballot_form import BallotForm, parse, read_body
from vote.casting.receipt_keys import ReceiptKeys
from vote.casting.vote_request import VoteRequest, VoteRequestReader, wants_page
from vote.db import competitions, votes
from vote.domain.receipt import receipt_code
from vote.errors import (
    DatabaseUnavailable,
    ForgedForm,
    LogUnavailable,
    NoSuchCompetition,
    NotConfirmed,
    NotLoggedIn,
    TooManyRequests,
    VoteError,
    VotingNotOpen,
)
from vote.identity.authenticator import Authenticator
from vote.identity.csrf import header_of
from vote.identity.sessions import SessionCookie
from vote.server import problems
from vote.server.middleware import LINE
from vote.server.raw_response import RawResponse, Receive, Scope, Send, send_response
from vote.server.request_id import BALLOT_ID, REQUEST_ID
from vote.services.container import Services
from vote.services.rate_limiter import LocalRateLimiter

ErrorPage = Callable[[VoteError, Scope], Awaitable[bytes]]

logger = structlog.get_logger()


class VoteEndpoint:
    """One process's endpoint for votes. `error_page` renders an error for browsers."""

    def __init__(
        self,
        services: Services,
        box: BallotBox,
        authenticator: Authenticator,
        cookie: SessionCookie,
        error_page: ErrorPage,
    ) -> None:
        self._services = services
        self._error_page = error_page
        self._box = box
        self._reader = VoteRequestReader(services, authenticator, cookie)
        self._limiter = LocalRateLimiter()
        self.receipt_keys = ReceiptKeys(services.db)

    async def __call__(self, scope: Scope, receive: Receive, send: Send, competition: int) -> None:
        """Answer one ballot for this competition."""
        header = header_of(scope)
        form = BallotForm(None, None)
        try:
            form = parse(await read_body(receive, header("content-length")), header("content-type") or "")
            vote = self._reader.read(competition, header, form)
            # After the CSRF check, so that a forged form counts against nobody.
            self._limiter.acquire(self._services.rate_limits.votes, f"user:{vote.who.user_id}")
            outcome = await self._cast(vote, ballot_id=scope[BALLOT_ID])
            scope[LINE].update(vote_response.log_fields(outcome, competition))
            response = await self._answer(vote, outcome, as_page=wants_page(header))
        except ConnectionError:
            return  # the client disconnected before it had sent its ballot
        except VoteError as error:
            await self._refuse(scope, send, error, login=vote_response.log_in_url(competition, form.vote))
            return
        await response.send(send)

    async def _cast(self, vote: VoteRequest, *, ballot_id: str) -> Outcome:
        """Cast the ballot, once it is certain that the voter may vote and that a receipt can be computed."""
        if self._services.email_confirmation.needs_lookup(vote.who):
            await asyncio.to_thread(self._services.email_confirmation.check, vote.who, vote.competition)
        choice = vote.checked_choice()
        await self.receipt_keys.key_of(vote.competition)
        return await self._box.cast(
            competition=vote.competition, voter=vote.who.user_id, choice=choice, ballot_id=ballot_id
        )

    async def _answer(self, vote: VoteRequest, outcome: Outcome, *, as_page: bool) -> RawResponse:
        """Return the answer for a stored ballot. Raises VoteError when it is not stored, or when that is unknown."""
        if (refusal := vote_response.refusal(outcome)) is not None:
            raise refusal
        is_recorded = False
        if outcome.result in ("again", "unknown"):
            is_recorded = await asyncio.to_thread(self._is_recorded, vote)
        if outcome.result == "unknown":
            if not is_recorded:
                raise await asyncio.to_thread(self._why_unknown, vote.competition)
            outcome = outcome._replace(result="again")
        if as_page:
            response = vote_response.as_page(vote.competition)
        else:
            receipt = receipt_code(await self.receipt_keys.key_of(vote.competition), vote.who.user_id)
            response = vote_response.as_json(outcome, vote.competition, receipt=receipt, is_recorded=is_recorded)
        return response.plus(self._reader.renewed(vote))

    def _is_recorded(self, vote: VoteRequest) -> bool:
        try:
            with self._services.db.read() as tx:
                return votes.choice_of(tx, vote.competition, vote.who.user_id) == vote.choice
        except DatabaseUnavailable:
            return False  # the ballot is accepted in any case; whether it is recorded is unknown

    def _why_unknown(self, competition: int) -> VoteError:
        """Return why the log has no rules for a competition that PostgreSQL has."""
        with self._services.db.read() as tx:
            found = competitions.find(tx, competition)
        if found is None or found.state in ("draft", "archived"):
            return NoSuchCompetition()
        if found.state == "scheduled":
            return VotingNotOpen(vote_response.NOT_OPEN_YET)
        if found.state in ("closing", "closed"):
            return VotingNotOpen(vote_response.CLOSED)
        return LogUnavailable("This competition is not ready for votes yet. Press again in a moment.")

    async def _refuse(self, scope: Scope, send: Send, error: VoteError, *, login: str) -> None:
        as_page = wants_page(header_of(scope))
        scope[LINE]["why"] = type(error).__name__
        if isinstance(error, TooManyRequests):
            scope[LINE]["limited"] = "votes"
        elif isinstance(error, ForgedForm | NotConfirmed):
            logger.warning("access refused", why=type(error).__name__, reason=error.detail, endpoint="vote")
        if as_page and isinstance(error, NotLoggedIn):
            location = [(b"location", login.encode("ascii"))]
            await send_response(send, 303, b"", content_type="text/plain", headers=location)
        elif as_page:
            body = await self._error_page(error, scope)
            status, headers = problems.status_of(error), problems.raw_headers_of(error)
            await send_response(send, status, body, content_type="text/html; charset=utf-8", headers=headers)
        else:
            await problems.send_error(send, error, request_id=scope[REQUEST_ID])
