"""`POST /vote/<id>`: who is it, is it their own form, cast the ballot, tell them.

Bare ASGI: a framework's routing costs 40 % of the requests a second. This is the whole of it, whatever happens; what nearly
all ballots need goes the short way beside it (`express.py`) and comes here with whatever is left to do.
"""

import asyncio
import json
from collections.abc import Awaitable, Callable

from vote.ballotlog.ballot_box import BallotBox
from vote.casting import vote_response
from vote.casting.ballot_form import BallotForm, parse, read_body
from vote.casting.receipt_keys import ReceiptKeys
from vote.casting.vote_limit import VoteLimit
from vote.casting.vote_request import VoteRequest, VoteRequestReader, wants_page
from vote.db import competitions, votes
from vote.domain.ballot import receipt_code
from vote.errors import (
    DatabaseUnavailable,
    LogUnavailable,
    NoSuchCompetition,
    NotLoggedIn,
    TooManyRequests,
    VoteError,
    VotingNotOpen,
)
from vote.identity.authenticator import Authenticator
from vote.identity.csrf import header_of
from vote.identity.sessions import SessionCookie
from vote.server import problems
from vote.server.middleware import LINE, REQUEST_ID
from vote.server.raw_response import Receive, Scope, Send, send_response
from vote.services.container import Services

Page = Callable[[VoteError, Scope], Awaitable[bytes]]
ATTEMPT = "attempt"  # in the scope: what the short way has done of it


class VoteEndpoint:
    """The endpoint of one process. `page` renders an error for a browser that cannot show JSON."""

    def __init__(
        self, services: Services, box: BallotBox, identifier: Authenticator, cookie: SessionCookie, page: Page
    ) -> None:
        self._services = services
        self._page = page
        self.box = box
        self.reader = VoteRequestReader(services, identifier, cookie)
        self.limit = VoteLimit(
            services.settings.cache_url,
            services.rate_limits.votes,
            services.installation,
            processes=services.settings.web_concurrency,
        )
        self.receipt_keys = ReceiptKeys(services.db)

    async def __call__(self, scope: Scope, receive: Receive, send: Send, competition: int) -> None:
        """Answer one ballot for this competition."""
        header = header_of(scope)
        as_page, form = wants_page(header), BallotForm(None, None)
        attempt: VoteRequest | None = scope.get(ATTEMPT)  # begun on the short way (`express.py`)
        try:
            if attempt is None:
                form = parse(await read_body(receive, header("content-length")), header("content-type") or "")
                attempt = self.reader.read(competition, header, form)
            told = await self._told(scope, attempt)
        except ConnectionError:
            return  # the client went away before it had sent its ballot: nobody is there to be told
        except VoteError as error:
            await self._refuse(
                scope, send, error, as_page=as_page, login=vote_response.log_in_url(competition, form.vote)
            )
            return
        final = vote_response.as_page(competition) if as_page else vote_response.as_json(told)
        await final.plus(self.reader.renewed(attempt)).send(send)

    async def _told(self, scope: Scope, attempt: VoteRequest) -> vote_response.VoteResponse:
        """What the voter is told. Raises VoteError when the ballot is not, or not known to be, stored."""
        competition, voter = attempt.competition, attempt.who.user_id
        if attempt.outcome is None:
            await self._cast(scope, attempt)
        if isinstance(attempt.outcome, VoteError):
            raise attempt.outcome
        assert attempt.outcome is not None
        outcome = attempt.outcome
        scope[LINE].update(vote_response.line_of(outcome, competition))
        if (error := vote_response.refusal(outcome)) is not None:
            raise error
        is_recorded = False
        if outcome.result in ("again", "unknown"):
            is_recorded = await asyncio.to_thread(self._is_recorded, competition, voter, attempt.choice)
        if outcome.result == "unknown":
            if not is_recorded:
                raise await asyncio.to_thread(self._why_unknown, competition)
            outcome = outcome._replace(result="again")
        receipt = receipt_code(await self.receipt_keys.key_of(competition), voter)
        return vote_response.confirmed(outcome, competition=competition, receipt=receipt, is_recorded=is_recorded)

    async def _cast(self, scope: Scope, attempt: VoteRequest) -> None:
        """Ask the limit, then the log. The form's token was looked at: what a stranger's page sends counts nowhere."""
        who = attempt.who
        await self.limit.take(who.user_id, self.limit.number(who.user_id))
        if self._services.email_confirmation.needs_lookup(who):
            await asyncio.to_thread(self._services.email_confirmation.check, who, attempt.competition)
        choice = attempt.checked_choice()
        await self.receipt_keys.key_of(attempt.competition)
        attempt.outcome = await self.box.cast(
            competition=attempt.competition, voter=who.user_id, choice=choice, ballot_id=scope[REQUEST_ID]
        )

    def _is_recorded(self, competition: int, voter: int, choice: str | None) -> bool:
        try:
            with self._services.db.read() as tx:
                return votes.choice_of(tx, competition, voter) == choice
        except DatabaseUnavailable:
            return False  # it is accepted in any case; only whether it is recorded too cannot be said

    def _why_unknown(self, competition: int) -> VoteError:
        """Why the log has no rules for a competition that PostgreSQL has."""
        with self._services.db.read() as tx:
            found = competitions.find(tx, competition)
        if found is None or found.state in ("draft", "archived"):
            return NoSuchCompetition()
        if found.state == "scheduled":
            return VotingNotOpen("Voting has not opened yet. Nothing was stored; come back when it opens.")
        if found.state in ("closing", "closed"):
            return VotingNotOpen("Voting has closed. This vote was not stored and is not counted.")
        return LogUnavailable("The ballot log does not know this competition yet. Press again in a moment.")

    async def _refuse(self, scope: Scope, send: Send, error: VoteError, *, as_page: bool, login: str) -> None:
        status = problems.status_of(error)
        if isinstance(error, TooManyRequests):
            scope[LINE]["limited"] = "votes"
        headers = [(name.lower().encode("ascii"), value.encode("ascii")) for name, value in problems.headers_of(error)]
        if as_page and isinstance(error, NotLoggedIn):
            await send_response(
                send, 303, b"", content_type="text/plain", headers=[(b"location", login.encode("ascii"))]
            )
        elif as_page:
            body = await self._page(error, scope)
            await send_response(send, status, body, content_type="text/html; charset=utf-8", headers=headers)
        else:
            body = json.dumps(problems.problem_of(error, request_id=scope[REQUEST_ID])).encode("utf-8")
            await send_response(send, status, body, content_type=problems.CONTENT_TYPE, headers=headers)
