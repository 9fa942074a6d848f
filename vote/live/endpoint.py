"""`WS /live/<id>`: admits watchers, sends them what changed, and ends sockets that may no longer be open.

`?kind=state` sends what a page without figures shows, to anyone who may see the competition; `?kind=page` adds the figures.

Logins are checked in memory several times a second; the roles of watching organisers twice a second in the database.
Close codes: 4401 logged out, 4403 hidden from now on, 4404 gone, 1012 restarting (reconnect).
"""

import asyncio
import json
import time
from collections.abc import Iterator
from itertools import islice
from typing import Literal

import structlog

from vote.db import users
from vote.domain import policy
from vote.domain.person import Person
from vote.errors import DatabaseUnavailable, NotLoggedIn, Unavailable, VoteError
from vote.identity.authenticator import Authenticator
from vote.identity.sessions import SessionCookie
from vote.input_limits import SOCKETS_MAX
from vote.live.admission import Admission, Admitted, Viewer, person_of
from vote.live.connection import GONE, HIDDEN, LOGGED_OUT, RESTARTING, Connection, observe_sent
from vote.live.hub import Hub
from vote.live.messages import KINDS, CompetitionView
from vote.live.protocol import writer_of
from vote.live.socket_quota import SocketQuota
from vote.live.tally_poller import TallyPoller
from vote.metrics.web import WATCHERS
from vote.server import problems
from vote.server.access_log import AccessLog
from vote.server.raw_response import Receive, Scope, Send
from vote.server.request_id import REQUEST_ID
from vote.server.security_headers import security_headers
from vote.services.container import Services

LOGIN_CHECK_S = 0.25  # with the refresh of revocations (0.4 s) a logout takes effect within a second
CHECKED_AT_ONCE = 500  # some milliseconds of tokens; then other tasks run
WOKEN_AT_ONCE = 200  # about a millisecond of writing; then other tasks run
ROLE_CHECK_S = 0.5  # with the query, a former organiser stops seeing hidden results within a second
CLOSING_S = 1.0  # how long sockets have to close

logger = structlog.get_logger()


class LiveEndpoint:
    """The endpoint of one process. Belongs to one event loop, between `start` and `stop`."""

    def __init__(self, services: Services, authenticator: Authenticator, cookie: SessionCookie) -> None:
        self._services = services
        self._hub: Hub[Connection] = Hub()
        self._feed = TallyPoller(services.reports, self._hub.watched, self._on_change)
        self._admission = Admission(services, authenticator, cookie, self._feed)
        self._headers = security_headers(services.settings)
        self._open: dict[Connection, asyncio.Task[None] | None] = {}
        self._quota = SocketQuota(services.settings)
        self._arriving = 0
        self._log = AccessLog()
        self._checks: list[asyncio.Task[None]] = []
        self._is_stopping = True

    async def start(self) -> None:
        """Begin to follow tallies and logins."""
        self._is_stopping = False
        self._feed.start()
        self._checks = [asyncio.create_task(check()) for check in (self._check_logins, self._check_roles)]

    async def stop(self) -> None:
        """Close every socket (1012: reconnect, to another process) and end what `start` began."""
        self._is_stopping = True
        for connection in list(self._open):
            connection.end(RESTARTING)
        tasks = [task for task in self._open.values() if task is not None]
        if tasks:
            await asyncio.wait(tasks, timeout=CLOSING_S)
        for check in self._checks:
            check.cancel()
        if self._checks:
            await asyncio.wait(self._checks)
        await self._feed.stop()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one socket, from handshake to end."""
        await receive()  # websocket.connect
        began, request_id = time.perf_counter(), scope[REQUEST_ID]
        self._arriving += 1
        try:
            connection = self._join(await self._admit(scope), scope)
        except VoteError as error:
            self._tell(scope, problems.status_of(error), request_id, began)
            await self._refuse(scope, send, error, request_id)
            return
        finally:
            self._arriving -= 1
        self._tell(scope, 101, request_id, began)
        try:
            await send({"type": "websocket.accept", "headers": [(b"x-request-id", request_id.encode("ascii"))]})
            await connection.serve(receive, send, writer_of(scope))
        except OSError:
            pass  # gone before it was accepted
        finally:
            connection.end(None)
            del self._open[connection]
            self._quota.release(connection.quota_key)
            WATCHERS.dec()

    def _tell(self, scope: Scope, status: int, request_id: str, began: float) -> None:
        seconds, path = time.perf_counter() - began, scope["path"]
        self._log.tell(request_id=request_id, method="GET", path=path, status=status, seconds=seconds, more={})

    async def _admit(self, scope: Scope) -> Admitted:
        if self._is_stopping or len(self._open) + self._arriving > SOCKETS_MAX:
            raise Unavailable("Too many people are watching. The results page shows the numbers too.")
        return await self._admission.admit(scope)

    def _join(self, admitted: Admitted, scope: Scope) -> Connection:
        """Register the socket, without awaiting after the admission, so that no change of the rules falls in between."""
        if self._is_stopping:
            raise Unavailable
        quota_key = self._quota.acquire(admitted.viewer.account, scope)
        message = admitted.view.of_kind(admitted.kind)
        connection = Connection(message.competition, admitted.viewer, self._hub, quota_key, admitted.kind)
        self._open[connection] = asyncio.current_task()
        WATCHERS.inc()
        self._hub.join(connection, message)
        self._feed.wake()
        return connection

    def _on_change(self, competition: int, change: CompetitionView | Literal["gone", "rewound"]) -> None:
        """End the sockets of those who may not see the changed competition, and publish it to the others."""
        if not isinstance(change, CompetitionView):
            for connection in self._hub.watchers(competition):
                connection.end(GONE if change == "gone" else RESTARTING)
            return
        if not Viewer().may_see(change.competition, "figures"):
            for connection in self._hub.watchers(competition):
                if not connection.viewer.may_see(change.competition, connection.kind):
                    connection.end(GONE if change.competition.state in ("archived", "draft") else HIDDEN)
        for kind in KINDS:
            self._wake(iter(self._hub.publish(change.of_kind(kind))))

    def _wake(self, connections: Iterator[Connection]) -> None:
        some = list(islice(connections, WOKEN_AT_ONCE))
        observe_sent(sent for connection in some if (sent := connection.wake()) is not None)
        if some:
            asyncio.get_running_loop().call_soon(self._wake, connections)

    async def _check_logins(self) -> None:
        while True:
            await asyncio.sleep(LOGIN_CHECK_S)
            logged_in = [connection for connection in self._open if connection.viewer.check_login is not None]
            for number, connection in enumerate(logged_in, 1):
                if (code := _close_code(connection)) is not None:
                    connection.end(code)
                if number % CHECKED_AT_ONCE == 0:
                    await asyncio.sleep(0)

    async def _check_roles(self) -> None:
        while True:
            await asyncio.sleep(ROLE_CHECK_S)
            # Voters have no role to lose: thousands who watch what they have voted in need no query.
            organisers = {
                connection: person.id
                for connection in self._open
                if (person := connection.viewer.person) and policy.can_organise(person)
            }
            if not organisers:
                continue
            try:
                people = await asyncio.to_thread(self._people, set(organisers.values()))
            except DatabaseUnavailable:
                continue  # no role can have changed meanwhile
            except Exception:  # whatever it is: roles are checked again, for as long as this process lives
                logger.exception("roles not read")
                continue
            for connection, user_id in organisers.items():
                connection.viewer.person = people.get(user_id)
                view = self._feed.known(connection.competition)
                if view is not None and not connection.viewer.may_see(view.competition, connection.kind):
                    connection.end(HIDDEN)

    def _people(self, ids: set[int]) -> dict[int, Person | None]:
        with self._services.db.read() as tx:
            return {account.id: person_of(account) for account in users.find_many(tx, ids)}

    async def _refuse(self, scope: Scope, send: Send, error: VoteError, request_id: str) -> None:
        """Answer over HTTP where the server can, otherwise close before the handshake is done."""
        status = problems.status_of(error)
        try:
            if "websocket.http.response" not in scope.get("extensions", {}):
                await send({"type": "websocket.close", "code": 4000 + status, "reason": ""})
                return
            body = json.dumps(problems.problem_of(error, request_id=request_id)).encode("utf-8")
            headers = [
                (b"content-type", problems.CONTENT_TYPE.encode("ascii")),
                (b"cache-control", b"no-store"),
                (b"x-request-id", request_id.encode("ascii")),
                *problems.raw_headers_of(error),
                *self._headers,
            ]
            await send({"type": "websocket.http.response.start", "status": status, "headers": headers})
            await send({"type": "websocket.http.response.body", "body": body})
        except OSError:
            pass  # gone already


def _close_code(connection: Connection) -> int | None:
    """Return the close code for a socket whose login has ended, or cannot be checked here; None while it holds."""
    try:
        if connection.viewer.check_login is not None:
            connection.viewer.check_login(time.time())
    except NotLoggedIn:
        return LOGGED_OUT
    except Unavailable:
        return RESTARTING  # another process may know
    return None
