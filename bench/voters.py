"""The voters of a measurement: who they are, what they choose, and the bytes each of them sends.

A request is what curl or a page of ours sends; a third each comes as multipart, as a form and as JSON. Tokens and
sessions are made before the clock starts, as a login would have made them.
"""

import json
import time
from collections.abc import Iterator
from functools import lru_cache
from typing import Literal, NamedTuple

from vote import config
from vote.auth import create_jwt_token
from vote.identity import csrf, sessions

Kind = Literal["bearer", "session"]

HOST = "127.0.0.1"
OPTIONS = "ab"
BOUNDARY = "------------------------8f3a2b1c9d4e5f60"
FIELDS = "multipart/form-data; boundary=" + BOUNDARY, "application/x-www-form-urlencoded", "application/json"


class Crowd(NamedTuple):
    """Voters `first` … `first + size - 1`, and the secrets that their tokens and sessions are signed with."""

    first: int
    size: int
    jwt_secret: str
    flask_secret: str

    def parts(self, size: int) -> "Iterator[Crowd]":
        """Crowds of this size, one after the other, nobody in two of them."""
        for first in range(self.first, self.first + self.size - size + 1, size):
            yield self._replace(first=first, size=size)

    @property
    def ids(self) -> range:
        """Their user ids."""
        return range(self.first, self.first + self.size)


def choice_of(voter: int) -> str:
    """What this voter chooses, always."""
    return OPTIONS[voter % len(OPTIONS)]


def requests(crowd: Crowd, kind: Kind, competition: int) -> list[bytes]:
    """One whole request for each voter, in order."""
    start = f"POST /vote/{competition} HTTP/1.1\r\nHost: {HOST}\r\nUser-Agent: bench\r\n"
    made = []
    for voter, (headers, csrf_value) in zip(crowd.ids, _logins(crowd, kind), strict=True):
        content_type, body = _body(voter, csrf_value)
        head = f"{start}{headers}Content-Type: {content_type}\r\nContent-Length: {len(body)}\r\n\r\n"
        made.append((head + body).encode("ascii"))
    return made


def _body(voter: int, csrf_value: str) -> tuple[str, str]:
    fields = {"vote": choice_of(voter)} | ({csrf.FIELD: csrf_value} if csrf_value else {})
    form = voter // len(OPTIONS) % len(FIELDS)
    if form == 0:
        parts = (
            f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'
            for name, value in fields.items()
        )
        body = "".join(parts) + f"--{BOUNDARY}--\r\n"
    elif form == 1:
        body = "&".join(f"{name}={value}" for name, value in fields.items())
    else:
        body = json.dumps(fields)
    return FIELDS[form], body


@lru_cache(maxsize=2)
def _logins(crowd: Crowd, kind: Kind) -> list[tuple[str, str]]:
    """Headers that say who it is, and the CSRF token that goes into the body; made once for the last crowds."""
    return list(_bearers(crowd) if kind == "bearer" else _browsers(crowd))


def _bearers(crowd: Crowd) -> Iterator[tuple[str, str]]:
    for voter in crowd.ids:
        token = create_jwt_token(voter, secret=crowd.jwt_secret)
        yield f"Accept: */*\r\nAuthorization: Bearer {token}\r\n", ""


def _browsers(crowd: Crowd) -> Iterator[tuple[str, str]]:
    """Browsers that asked for JSON: cookie, origin and fetch metadata are checked, the cookie is renewed."""
    settings = config.load({"FLASK_SECRET_KEY": crowd.flask_secret, "JWT_SECRET": crowd.jwt_secret})
    own, key = sessions.SessionCookie(settings), csrf.keys_of(settings)[0]
    asked = (
        "Accept: application/json\r\nSec-Fetch-Site: same-origin\r\nSec-Fetch-Mode: cors\r\nSec-Fetch-Dest: empty\r\n"
    )
    for voter in crowd.ids:
        session: sessions.Session = {}
        sessions.begin(session, voter, now=time.time() - 60)  # a minute ago: long enough for the cookie to be renewed
        cookie = f"Cookie: {own.write(session).partition(';')[0]}\r\n"
        yield f"{asked}Origin: http://{HOST}\r\n{cookie}", csrf.csrf_token(key, session["sid"])


def browsing(crowd: Crowd, path: str) -> list[bytes]:
    """A page loaded by the browser of each voter, logged in."""
    made = []
    for headers, _ in _logins(crowd, "session"):
        asked = headers.replace("Accept: application/json", "Accept: text/html\r\nAccept-Encoding: gzip, br")
        made.append(f"GET {path} HTTP/1.1\r\nHost: {HOST}\r\n{asked}\r\n".encode("ascii"))
    return made
