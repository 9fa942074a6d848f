"""Votes of which everything is free but the server and the ballot log: what remains when no check, receipt or line costs a
thing. The same server and the same short way as for votes; nothing of a request is looked at. Run by `bench.ceiling`.
"""

import contextlib
import os
from collections.abc import Callable
from itertools import count
from typing import Any

from bench import bare
from vote.ballotlog.ballot_box import BallotBox
from vote.config import load
from vote.db import installation
from vote.db.pool import Database
from vote.domain.installation import Installation
from vote.server.middleware import Write
from vote.server.raw_response import Receive, Scope, Send

ACCEPTED = b"HTTP/1.1 202 Accepted\r\ncontent-length: 2\r\n"
FAILED = b"HTTP/1.1 500 Internal Server Error\r\ncontent-length: 2\r\n"
OF_PROCESS = 1 << 24  # voters' numbers of one process: no two processes share any


class LogAlone:
    """An app like `Envelope`, with nothing in it. Belongs to one event loop."""

    def __init__(self) -> None:
        settings = load()
        with contextlib.closing(Database(settings.database("web"), size=1, name="vote bench")) as db:
            installation.learn(db, ours := Installation())
        self._box = BallotBox(settings.log_url, settings.vote_shards, ours)
        self._voters = count(os.getpid() * OF_PROCESS)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """What is no vote: the questions of whoever waits until it is ready."""
        await bare.app(scope, receive, send)

    def express(self, scope: Scope, _body: bytes, write: Write, _go_on: Callable[[], None]) -> bool:
        """Cast a ballot of whoever is next, and say what came of it."""
        if scope["method"] != "POST":
            return False
        voter = next(self._voters)

        def told(outcome: Any) -> None:
            write(ACCEPTED if getattr(outcome, "word", None) == "accepted" else FAILED, b"ok")

        competition = int(scope["path"].rpartition("/")[2])
        self._box.put(competition=competition, voter=voter, choice="a", ballot_id=f"{voter:032x}", tell=told)
        return True


app = LogAlone()
