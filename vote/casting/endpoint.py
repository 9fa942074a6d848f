"""`POST /vote/<id>`: who is it, is it their own form, cast the ballot, tell them.

Bare ASGI: a framework's routing costs 40 % of the requests a second. Nothing that every other request passes
is left out: identity, revocation, origin and CSRF come from `edge/`.
"""

import asyncio
import json
import time
from collections.abc import Awaitable, Callable

from vote.ballotlog.box import BallotBox, Outcome
from vote.casting import answers
from vote.casting.form import BallotForm, parse, read_body
from vote.casting.receipt_keys import ReceiptKeys
from vote.casting.vote_limit import VoteLimit
from vote.db import competitions, votes
from vote.domain.ballot import receipt_code
from vote.edge import origin, problems
from vote.edge.envelope import LINE, REQUEST_ID, Receive, Scope, Send, answer
from vote.edge.identity import Identifier, Identity
from vote.edge.origin import Header
from vote.edge.parts import Parts
from vote.edge.sessions import Session, SessionCookie
from vote.errors import (
    DatabaseUnavailable,
    InvalidInput,
    LogUnavailable,
    NoSuchOption,
    NotFound,
    NotLoggedIn,
    TooManyRequests,
    VoteError,
    VotingNotOpen,
)
from vote.metrics import ACCEPTED, BALLOTS

Page = Callable[[VoteError, Scope], Awaitable[bytes]]
CHOICE_MAX_CHARS = 1  # option keys are a … z


class Casting:
    """The endpoint of one process. `page` renders an error for a browser that cannot show JSON."""

    def __init__(self, parts: Parts, box: BallotBox, identifier: Identifier, cookie: SessionCookie, page: Page) -> None:
        self._parts = parts
        self._box = box
        self._identifier = identifier
        self._cookie = cookie
        self._page = page
        self._csrf_keys = origin.keys_of(parts.settings)
        self.limit = VoteLimit(parts.settings.cache_url, parts.limits.votes, processes=parts.settings.web_concurrency)
        self.receipt_keys = ReceiptKeys(parts.db)

    async def __call__(self, scope: Scope, receive: Receive, send: Send, competition: int) -> None:
        """Answer one ballot for this competition."""
        headers: dict[bytes, bytes] = dict(scope["headers"])

        def header(name: str) -> str | None:
            value = headers.get(name.encode("ascii"))
            return None if value is None else value.decode("latin-1")

        as_page = origin.is_browser(header) and "application/json" not in (header("accept") or "")
        form = BallotForm(None, None)
        session: Session = {}
        try:
            form = parse(await read_body(receive, headers.get(b"content-length")), header("content-type") or "")
            session = self._cookie.read(header("cookie") or "")
            who = self._identify(header, session, form)
            await self.limit.take(who.user_id)  # after the form's token: what a stranger's page sends counts nowhere
            if self._parts.confirmed.must_be_asked(who):
                await asyncio.to_thread(self._parts.confirmed.check, who)
            told = await self._cast(scope, competition, who, form.vote)
        except ConnectionError:
            return  # the client went away before it had sent its ballot: nobody is there to be told
        except VoteError as error:
            await self._refuse(scope, send, error, as_page=as_page, login=answers.log_in_url(competition, form.vote))
            return
        extra = self._renewed(session, who)
        if as_page:
            extra.append((b"location", b"/vote/%d" % competition))
            await answer(send, 303, b"", content_type="text/plain", headers=extra)
        else:
            body = json.dumps(told.body).encode("ascii")
            await answer(send, told.status, body, content_type="application/json", headers=extra)

    def _identify(self, header: Header, session: Session, form: BallotForm) -> Identity:
        now = time.time()
        authorization = header("authorization")
        if authorization is not None:
            return self._identifier.by_bearer(authorization.encode("latin-1"), now=now)
        who = self._identifier.by_session(session, now=now)
        origin.check_same_origin(header, allowed_hosts=origin.allowed_hosts(self._parts.settings, header("host")))
        origin.check_csrf(self._csrf_keys, session["sid"], form.csrf_token or header("x-csrf-token"))
        return who

    async def _cast(self, scope: Scope, competition: int, who: Identity, choice: str | None) -> answers.Told:
        if not choice:
            raise InvalidInput({"vote": "Choose one of the options."}, "No option was chosen. Nothing was stored.")
        key = await self.receipt_keys.key_of(competition)
        if len(choice) > CHOICE_MAX_CHARS or not "a" <= choice <= "z":
            raise NoSuchOption("This competition has no such option. Nothing was stored; choose one that is listed.")
        outcome = await self._box.cast(
            competition=competition, voter=who.user_id, choice=choice, ballot_id=scope[REQUEST_ID]
        )
        self._note(scope, competition, outcome)
        if (error := answers.refusal(outcome)) is not None:
            raise error
        is_recorded = False
        if outcome.word in ("again", "unknown"):
            is_recorded = await asyncio.to_thread(self._is_recorded, competition, who.user_id, choice)
        if outcome.word == "unknown":
            if not is_recorded:
                raise await asyncio.to_thread(self._why_unknown, competition)
            outcome = outcome._replace(word="again")
        receipt = receipt_code(key, who.user_id)
        return answers.confirmed(outcome, competition=competition, receipt=receipt, is_recorded=is_recorded)

    def _note(self, scope: Scope, competition: int, outcome: Outcome) -> None:
        BALLOTS.labels(outcome.word).inc()
        scope[LINE].update(competition=competition, outcome=outcome.word, shard=outcome.shard)
        if outcome.position is not None:
            ACCEPTED.inc()
            scope[LINE]["position"] = outcome.position

    def _is_recorded(self, competition: int, voter: int, choice: str) -> bool:
        try:
            with self._parts.db.read() as tx:
                return votes.choice_of(tx, competition, voter) == choice
        except DatabaseUnavailable:
            return False  # it is accepted in any case; only whether it is recorded too cannot be said

    def _why_unknown(self, competition: int) -> VoteError:
        """Why the log has no rules for a competition that PostgreSQL has."""
        with self._parts.db.read() as tx:
            found = competitions.find(tx, competition)
        if found is None or found.state in ("draft", "archived"):
            return NotFound("There is no such competition.")
        if found.state == "scheduled":
            return VotingNotOpen("Voting has not opened yet. Nothing was stored; come back when it opens.")
        if found.state in ("closing", "closed"):
            return VotingNotOpen("Voting has closed. This vote was not stored and is not counted.")
        return LogUnavailable("The ballot log does not know this competition yet. Press again in a moment.")

    def _renewed(self, session: Session, who: Identity) -> list[tuple[bytes, bytes]]:
        """The session's cookie with the time of this request: voting is activity too."""
        now = time.time()
        if who.via != "session" or now - session["seen"] < 1:
            return []
        session["seen"] = now
        return [(b"set-cookie", self._cookie.write(session).encode("ascii"))]

    async def _refuse(self, scope: Scope, send: Send, error: VoteError, *, as_page: bool, login: str) -> None:
        status = problems.status_of(error)
        if isinstance(error, TooManyRequests):
            scope[LINE]["limited"] = "votes"
        headers = [(name.lower().encode("ascii"), value.encode("ascii")) for name, value in problems.headers_of(error)]
        if as_page and isinstance(error, NotLoggedIn):
            await answer(send, 303, b"", content_type="text/plain", headers=[(b"location", login.encode("ascii"))])
        elif as_page:
            body = await self._page(error, scope)
            await answer(send, status, body, content_type="text/html; charset=utf-8", headers=headers)
        else:
            body = json.dumps(problems.problem_of(error, request_id=scope[REQUEST_ID])).encode("utf-8")
            await answer(send, status, body, content_type=problems.CONTENT_TYPE, headers=headers)
