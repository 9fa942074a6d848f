"""Tokens and password hashes. No Flask, no database: who is revoked is asked elsewhere (`identity/revocations.py`).

Tokens are JWT, HS256, 24 hours, with exactly seven claims; every check of RFC 8725 §3 that applies is made.
Passwords are PBKDF2-HMAC-SHA256 with a salt and 600,000 rounds (OWASP Password Storage, 2025), in the form of RFC 8265
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
CLAIMS = frozenset({"iss", "aud", "sub", "exp", "nbf", "iat", "jti"})
JTI_BYTES = 16

PBKDF2_ROUNDS = 600_000
PBKDF2_MAX_ROUNDS = 10_000_000  # a stored hash may not make us work for minutes
SALT_BYTES = 16

UNCONFIRMED = "unconfirmed."  # begins the jti of whose address has to be looked up to vote; no random jti has a dot

Derive = Callable[[bytes, bytes, int], bytes]  # password, salt, rounds → digest


class PasswordMatch(IntEnum):
    """What comparing a password with a stored hash came to; WRONG is false.

    AS_TYPED: right, but the hash is of the bytes as they were typed, from before passwords were normalized.
    """

    WRONG = 0
    RIGHT = 1
    AS_TYPED = 2


class TokenClaims(NamedTuple):
    """What a valid token says."""

    user_id: int
    jti: str
    issued_at: int
    expires_at: int


def create_jwt_token(user_id: int, *, secret: str, now: float | None = None, confirmed: bool = True) -> str:
    """A token for this user, valid for TOKEN_HOURS from `now` (seconds since 1970; the clock's when not given).

    One that is not `confirmed` says so in its jti: whether its owner may vote has to be asked then
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
    """What the token says, when one of the secrets (newest first) signed it. Raises NotLoggedIn for every other cause.

    Whether it was revoked is not looked at. There is no leeway: the second `exp` names is already too late.
    """
    if len(token) > TOKEN_MAX_CHARS or "=" in token:  # RFC 7515 §2: base64url without padding; PyJWT is lenient
        raise NotLoggedIn("This token is not valid. Log in again.")
    for secret in secrets_:
        try:
            read = jwt.decode_complete(
                token,
                secret,
                algorithms=[ALGORITHM],
                issuer=ISSUER,
                audience=AUDIENCE,
                # Times are compared below, by one clock that a test may set.
                options={"require": sorted(CLAIMS), "verify_exp": False, "verify_nbf": False, "verify_iat": False},
            )
        except jwt.InvalidSignatureError:
            continue
        except (jwt.InvalidTokenError, ValueError, RecursionError):
            break
        # Another typ is another purpose (RFC 8725 §3.11); a claim that is there twice is not when it is written again.
        if read["header"] != HEADER or _encoded(read["payload"]) != token.split(".")[1]:
            break
        return check_claims(read["payload"], now=time.time() if now is None else now)
    raise NotLoggedIn("This token is not valid. Log in again.")


def _encoded(claims: dict[str, object]) -> str:
    text = json.dumps(claims, separators=(",", ":")).encode("utf-8")
    return base64.urlsafe_b64encode(text).rstrip(b"=").decode("ascii")


def check_claims(claims: dict[str, object], *, now: float) -> TokenClaims:
    """The claims of a token whose signature was right, or NotLoggedIn. Used by both readers of tokens."""
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
    raise NotLoggedIn("This token is not valid or no longer valid. Log in again.")


def pbkdf2(password: bytes, salt: bytes, rounds: int) -> bytes:
    """PBKDF2-HMAC-SHA256, in this thread."""
    return hashlib.pbkdf2_hmac("sha256", password, salt, rounds)


def hash_password(password: str, *, rounds: int = PBKDF2_ROUNDS, derive: Derive = pbkdf2) -> str:
    """`pbkdf2:sha256:<rounds>$<salt>$<hash>`, the form Werkzeug reads too. Takes about 0.3 s of a core."""
    salt = secrets.token_urlsafe(SALT_BYTES)
    return f"pbkdf2:sha256:{rounds}${salt}${derive(_bytes(password_key(password)), salt.encode('ascii'), rounds).hex()}"


def verify_password(password: str, stored: str, *, derive: Derive = pbkdf2) -> PasswordMatch:
    """Compare a password with a stored hash. A hash that cannot be read verifies nothing.

    A password that is not normalized is tried as typed too, which costs a second derivation: old hashes were made so.
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
    """Whether the hash was made with other parameters than today's."""
    return not stored.startswith(f"pbkdf2:sha256:{PBKDF2_ROUNDS}$")


def _bytes(password: str) -> bytes:
    return password.encode("utf-8", "surrogatepass")


class PasswordHasher:
    """Hashes in few processes that yield to all others, so that a flood of logins waits in line and votes do not starve.

    The line is bounded too: at most `places` are hashed or wait, since each holds a thread that makes pages. HasherBusy to
    all others.
    """

    def __init__(self, processes: int, *, places: int = 64) -> None:
        self._processes = [HashProcess() for _ in range(processes)]
        self._free: queue.SimpleQueue[HashProcess] = queue.SimpleQueue()
        for one in self._processes:
            self._free.put(one)
        self.places = max(processes, places)
        self._places = threading.BoundedSemaphore(self.places)
        # Verified when there is no such user, so that unknown and wrong take the same time.
        self._nobody = f"pbkdf2:sha256:{PBKDF2_ROUNDS}${secrets.token_urlsafe(SALT_BYTES)}${bytes(32).hex()}"

    def hash(self, password: str) -> str:
        """hash_password, in line. Raises HasherBusy."""
        with self._in_line() as derive:
            return hash_password(password, derive=derive)

    def verify(self, password: str, stored: str | None) -> PasswordMatch:
        """verify_password, in line; without a stored hash as slow, and WRONG. Raises HasherBusy."""
        with self._in_line() as derive:
            match = verify_password(password, stored or self._nobody, derive=derive)
        return PasswordMatch.WRONG if stored is None else match

    def check_free(self) -> None:
        """Raises HasherBusy when there is no place now: asked before anything else is done for a login."""
        if not self._places.acquire(blocking=False):
            raise HasherBusy
        self._places.release()

    @contextmanager
    def _in_line(self) -> Iterator[Derive]:
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
