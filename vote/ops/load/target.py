"""The deployment under load: parse its URL, refuse what is not known to be the user's own, make requests, call its API.

Own are this machine (loopback) and PUBLIC_URL of the settings, and what the user names explicitly. Nothing else is guessed:
a DNS name, a private address or the service's answers do not prove who owns it.
"""

import contextlib
import http.client
import ipaddress
import json
import ssl
import time
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from vote.errors import Unavailable

PORTS = {"http": 80, "https": 443}
ANSWER_WITHIN_S = 30.0
TRIES = 10  # after 503, or no answer
PAUSE_S = 1.0  # between two tries, without Retry-After
PAUSE_MAX_S = 60.0  # between two tries, whatever Retry-After says
BOUNDARY = "------------------------6f0a2c4e8b1d3579"


class Target(NamedTuple):
    """A deployment."""

    scheme: str
    host: str
    port: int

    @property
    def authority(self) -> str:
        """Return the value of the Host header."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == PORTS[self.scheme] else f"{host}:{self.port}"

    @property
    def url(self) -> str:
        """Return its URL."""
        return f"{self.scheme}://{self.authority}"

    @property
    def is_loopback(self) -> bool:
        """Return whether it is this machine. Names other than `localhost` are not resolved: they may change at any time."""
        try:
            return self.host == "localhost" or ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return False

    def tls(self) -> ssl.SSLContext | None:
        """Return the TLS context, which verifies certificates with the system's authorities or SSL_CERT_FILE; None for plain
        HTTP.
        """
        return ssl.create_default_context() if self.scheme == "https" else None


def parse(url: str) -> Target:
    """Return the target of a URL. Raises ValueError if it has a path or no host."""
    parts = urlsplit(url)
    if parts.scheme not in PORTS or not parts.hostname or parts.path not in ("", "/") or parts.query or parts.username:
        raise ValueError(f"{url} is not the address of a deployment. Write it like https://vote.example.org")
    return Target(parts.scheme, parts.hostname, parts.port or PORTS[parts.scheme])


def check_is_own(target: Target, *, public_url: str | None, owned: str | None) -> None:
    """Raise ValueError unless the target is loopback, PUBLIC_URL, or named again by `owned`; their paths do not matter."""
    named = [parse(urlsplit(url)._replace(path="", query="").geturl()) for url in (public_url, owned) if url]
    if not target.is_loopback and target not in named:
        raise ValueError(
            f"{target.url} is not known to be yours: it is neither this machine nor PUBLIC_URL. Loading someone else's"
            f" service is an attack. If it is yours, confirm with --i-own-this-target {target.url}"
        )


def http_request(target: Target, method: str, path: str, *headers: str, body: str = "") -> bytes:
    """Return the bytes of a request. A header is a line, such as `Accept: text/html`."""
    content = body.encode()
    lines = [f"{method} {path} HTTP/1.1", f"Host: {target.authority}", "User-Agent: vote-load", *headers]
    if content:
        lines.append(f"Content-Length: {len(content)}")
    return "\r\n".join([*lines, "", ""]).encode() + content


def vote_request(target: Target, competition: int, token: str, choice: str) -> bytes:
    """Return the bytes of a vote, as `curl -F vote=a -H "Authorization: Bearer …"` sends it."""
    return http_request(
        target,
        "POST",
        f"/vote/{competition}",
        "Accept: */*",
        f"Authorization: Bearer {token}",
        f"Content-Type: multipart/form-data; boundary={BOUNDARY}",
        body=f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="vote"\r\n\r\n{choice}\r\n--{BOUNDARY}--\r\n',
    )


class Reply(NamedTuple):
    """An answer; `json` is None when its body is not JSON."""

    status: int
    json: Any
    text: str

    @property
    def detail(self) -> str:
        """Return the status, and the reason that the service gave."""
        detail = self.json.get("detail") if isinstance(self.json, dict) else None
        return f"{self.status}: {detail}" if detail else str(self.status)


class Api:
    """A blocking client for the calls around a load, which are not measured: it waits and retries on 429 and 503."""

    def __init__(self, target: Target, token: str | None = None) -> None:
        kind = http.client.HTTPConnection if target.scheme == "http" else http.client.HTTPSConnection
        self._connection = kind(target.host, target.port, timeout=ANSWER_WITHIN_S)
        self._target = target
        self._headers = {"Accept": "application/json"} | ({"Authorization": f"Bearer {token}"} if token else {})

    def ask(self, method: str, path: str, body: object = None) -> Reply:
        """Make one call. Retries 429 until it is accepted, 503 and network errors TRIES times; then raises Unavailable."""
        data = None if body is None else json.dumps(body).encode()
        headers = self._headers | ({"Content-Type": "application/json"} if data is not None else {})
        left, why = TRIES, ""
        while left:
            try:
                self._connection.request(method, path, data, headers)
                answer = self._connection.getresponse()
                text, status = answer.read().decode("utf-8", "replace"), answer.status
                pause = _seconds(answer.getheader("Retry-After"))
            except (OSError, http.client.HTTPException) as error:
                self._connection.close()
                text, status, pause, why = "", 0, PAUSE_S, str(error)
            if status not in (0, 429, 503):
                return Reply(status, _json(text), text)
            left -= status != 429
            time.sleep(min(pause, PAUSE_MAX_S))
        raise Unavailable(f"{self._target.url}{path} does not answer. {why}")

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()


def ask(target: Target, method: str, path: str, body: object = None, *, token: str | None = None) -> Reply:
    """Make one call over a connection of its own."""
    with contextlib.closing(Api(target, token)) as api:
        return api.ask(method, path, body)


def _json(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return None


def _seconds(retry_after: str | None) -> float:
    """Return Retry-After in seconds. Dates (RFC 9110 §10.2.3), which only proxies send, and nonsense count as PAUSE_S."""
    try:
        return max(0.0, float(retry_after or PAUSE_S))
    except ValueError:
        return PAUSE_S
