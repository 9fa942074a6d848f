"""Votes of which everything is free but the server and the ballot log: what remains when no check, receipt or line costs a
thing. The same server as for votes; nothing of a request is looked at. Run by `bench.ceiling`.
"""

import contextlib
import os
from itertools import count

from bench import bare
from vote.ballotlog.ballot_box import BallotBox
from vote.config import load
from vote.db import installation
from vote.db.pool import Database
from vote.domain.installation import Installation
from vote.server.raw_response import Receive, Scope, Send, send_response

OF_PROCESS = 1 << 24  # voters' numbers of one process: no two processes share any


class LogAlone:
    """An ASGI app with nothing else in it. Belongs to one event loop."""

    def __init__(self) -> None:
        settings = load()
        with contextlib.closing(Database(settings.database("web"), size=1, name="vote bench")) as db:
            installation.learn(db, ours := Installation())
        self._box = BallotBox(settings.log_url, settings.vote_shards, ours)
        self._voters = count(os.getpid() * OF_PROCESS)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Cast a ballot of whoever is next, and say what came of it; answer whoever waits until it is ready."""
        if scope["type"] != "http" or scope["method"] != "POST":
            await bare.app(scope, receive, send)
            return
        voter, competition = next(self._voters), int(scope["path"].rpartition("/")[2])
        outcome = await self._box.cast(competition=competition, voter=voter, choice="a", ballot_id=f"{voter:032x}")
        await send_response(send, 202 if outcome.result == "accepted" else 500, b"ok", content_type="text/plain")


app = LogAlone()
