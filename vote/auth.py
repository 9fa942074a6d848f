"""Tokens and password hashes, without Flask or a database; `identity/revocations.py` has the revocations.

Tokens are JWT, HS256, valid for 24 hours, with exactly seven claims, checked as RFC 8725 §3 requires. Passwords are
hashed with PBKDF2-HMAC-SHA256, a salt and 600,000 rounds (OWASP Password Storage, 2025), in the form of RFC 8265
(`domain/folding.py`).
"""

import base64
import binascii
import hashlib
import hmac
import json
import queue
import secrets
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from enum import IntEnum
from typing import NamedTuple

import jwt

from vote.domain.folding import password_key
from vote.domain.ids import MAX_ID, is_id
from vote.errors import HasherBusy, NotLoggedIn
from vote.hash_process import HashProcess
from vote.input_limits import TOKEN_MAX_CHARS

ALGORITHM = "HS256"
HEADER = {"alg": ALGORITHM, "typ": "JWT"}
ISSUER = "vote-app"
AUDIENCE = "vote-app"
TOKEN_HOURS = 24
INVALID_TOKEN = "This token is not valid or has expired. Log in again."  # noqa: S105  # a sentence
CLAIMS = frozenset({"iss", "aud", "sub", "exp", "nbf", "iat", "jti"})
JTI_BYTES = 16

PBKDF2_ROUNDS = 600_000
PBKDF2_MAX_ROUNDS = 10_000_000  # a stored hash must not cost minutes of work
SALT_BYTES = 16

INVALID_TOKEN = "This token is invalid. Log in again."  # noqa: S105  # a message
UNCONFIRMED = "unconfirmed."  # jti prefix: the email address must be looked up before voting. No random jti has a dot

Derive = Callable[[bytes, bytes, int], bytes]  # password, salt, rounds → digest


class PasswordMatch(IntEnum):
    """The result of comparing a password with a stored hash; WRONG is false.

    AS_TYPED: correct, but the hash is of the password as typed, from before passwords were normalised.
    """

    WRONG = 0
    RIGHT = 1
    AS_TYPED = 2


class TokenClaims(NamedTuple):
    """The claims of a valid token. Times are in seconds since 1970."""

    user_id: int
    jti: str
    issued_at: int
    expires_at: int


def create_jwt_token(user_id: int, *, secret: str, now: float | None = None, confirmed: bool = True) -> str:
    """Return a token for this account, valid for TOKEN_HOURS from `now` (seconds since 1970; default: the current time).

    A token that is not `confirmed` says so in its jti; its owner's email address is then looked up before voting
    (`identity/email_confirmation.py`).
    """
    issued = int(time.time() if now is None else now)
    claims = {
        "iss": ISSUER,
        "aud": AUDIENCE,
        "sub": str(user_id),
        "exp": issued + TOKEN_HOURS * 3600,
        "nbf": issued,
        "iat": issued,
        "jti": ("" if confirmed else UNCONFIRMED) + secrets.token_urlsafe(JTI_BYTES),
    }
    return jwt.encode(claims, secret, algorithm=ALGORITHM)


def read_jwt_token(token: str, *, secrets_: Sequence[str], now: float | None = None) -> TokenClaims:
    """Return the claims of a token that one of the secrets (newest first) signed. Raises NotLoggedIn in every other case.

    Does not check revocations. There is no leeway: at the second of `exp` the token has expired.
    """
    if len(token) > TOKEN_MAX_CHARS or "=" in token:  # RFC 7515 §2: base64url without padding; PyJWT is lenient
        raise NotLoggedIn(INVALID_TOKEN)
    for secret in secrets_:
        try:
            decoded = jwt.decode_complete(
                token,
                secret,
                algorithms=[ALGORITHM],
                issuer=ISSUER,
                audience=AUDIENCE,
                # Times are compared below, with one clock that tests can set.
                options={"require": sorted(CLAIMS), "verify_exp": False, "verify_nbf": False, "verify_iat": False},
            )
        except jwt.InvalidSignatureError:
            continue
        except (jwt.InvalidTokenError, ValueError, RecursionError):
            break
        # Another typ is another purpose (RFC 8725 §3.11); a duplicate claim disappears when the claims are serialised again.
        if decoded["header"] != HEADER or _encoded(decoded["payload"]) != token.split(".")[1]:
            break
        return check_claims(decoded["payload"], now=time.time() if now is None else now)
    raise NotLoggedIn(INVALID_TOKEN)


def _encoded(claims: dict[str, object]) -> str:
    text = json.dumps(claims, separators=(",", ":")).encode("utf-8")
    return base64.urlsafe_b64encode(text).rstrip(b"=").decode("ascii")


def check_claims(claims: dict[str, object], *, now: float) -> TokenClaims:
    """Check the claims of a token with a valid signature, and return them. Raises NotLoggedIn. Both token readers use it."""
    sub, jti = claims.get("sub"), claims.get("jti")
    issued, begins, expires = claims.get("iat"), claims.get("nbf"), claims.get("exp")
    if (
        claims.keys() == CLAIMS
        and claims["iss"] == ISSUER
        and claims["aud"] == AUDIENCE
        and isinstance(sub, str)
        and sub.isascii()
        and sub.isdigit()
        and len(sub) <= len(str(MAX_ID))
        and sub == str(number := int(sub))
        and is_id(number)
        and isinstance(jti, str)
        and type(issued) is type(begins) is type(expires) is int
        and begins <= now < expires
        and issued <= now
        and expires - issued <= TOKEN_HOURS * 3600
    ):
        return TokenClaims(number, jti, issued, expires)
    raise NotLoggedIn(INVALID_TOKEN)


def pbkdf2(password: bytes, salt: bytes, rounds: int) -> bytes:
    """Return PBKDF2-HMAC-SHA256, computed in this thread."""
    return hashlib.pbkdf2_hmac("sha256", password, salt, rounds)


def hash_password(password: str, *, rounds: int = PBKDF2_ROUNDS, derive: Derive = pbkdf2) -> str:
    """Return `pbkdf2:sha256:<rounds>$<salt>$<hash>`, which Werkzeug reads too. Takes about 0.3 s of a core."""
    salt = secrets.token_urlsafe(SALT_BYTES)
    return f"pbkdf2:sha256:{rounds}${salt}${derive(_bytes(password_key(password)), salt.encode('ascii'), rounds).hex()}"


def verify_password(password: str, stored: str, *, derive: Derive = pbkdf2) -> PasswordMatch:
    """Compare a password with a stored hash. An unreadable hash matches nothing.

    A password that normalisation changes is also tried as typed, at the cost of a second derivation: old hashes were made
    so.
    """
    try:
        method, salt, digest = stored.split("$")
        name, algorithm, rounds = method.split(":")
        expected, count = binascii.unhexlify(digest), int(rounds)
    except ValueError:
        return PasswordMatch.WRONG
    if (name, algorithm) != ("pbkdf2", "sha256") or not 0 < count <= PBKDF2_MAX_ROUNDS:
        return PasswordMatch.WRONG

    def is_right(text: str) -> bool:
        return hmac.compare_digest(derive(_bytes(text), salt.encode("ascii"), count), expected)

    key = password_key(password)
    if is_right(key):
        return PasswordMatch.RIGHT
    return PasswordMatch.AS_TYPED if key != password and is_right(password) else PasswordMatch.WRONG


def needs_rehash(stored: str) -> bool:
    """Return whether the hash was made with other parameters than today's."""
    return not stored.startswith(f"pbkdf2:sha256:{PBKDF2_ROUNDS}$")


def _bytes(password: str) -> bytes:
    return password.encode("utf-8", "surrogatepass")


class PasswordHasher:
    """A bounded pool of low-priority processes, so that a flood of logins queues and does not starve votes.

    The queue is bounded too, as each caller holds a page thread: at most `places` are hashed or wait; others get HasherBusy.
    """

    def __init__(self, processes: int, *, places: int = 64) -> None:
        self._processes = [HashProcess() for _ in range(processes)]
        self._free: queue.SimpleQueue[HashProcess] = queue.SimpleQueue()
        for process in self._processes:
            self._free.put(process)
        self.places = max(processes, places)
        self._places = threading.BoundedSemaphore(self.places)
        # Verified when there is no such account, so that both cases take the same time.
        self._dummy_hash = f"pbkdf2:sha256:{PBKDF2_ROUNDS}${secrets.token_urlsafe(SALT_BYTES)}${bytes(32).hex()}"

    def hash(self, password: str) -> str:
        """Hash a password in the pool (`hash_password`). Raises HasherBusy."""
        with self._queued() as derive:
            return hash_password(password, derive=derive)

    def verify(self, password: str, stored: str | None) -> PasswordMatch:
        """Verify a password in the pool (`verify_password`). Without a stored hash, take as long and return WRONG. Raises
        HasherBusy.
        """
        with self._queued() as derive:
            match = verify_password(password, stored or self._dummy_hash, derive=derive)
        return PasswordMatch.WRONG if stored is None else match

    def check_free(self) -> None:
        """Raise HasherBusy when no place is free: checked before a login does any other work."""
        if not self._places.acquire(blocking=False):
            raise HasherBusy
        self._places.release()

    @contextmanager
    def _queued(self) -> Iterator[Derive]:
        if not self._places.acquire(blocking=False):
            raise HasherBusy
        try:
            process = self._free.get()
            try:
                yield process.pbkdf2
            finally:
                self._free.put(process)
        finally:
            self._places.release()

    def close(self) -> None:
        """End the processes."""
        for process in self._processes:
            process.end()
