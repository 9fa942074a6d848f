"""Tokens and passwords. One table of forged tokens is run against both readers: PyJWT's and the fast one."""

import base64
import hashlib
import hmac
import json
import threading
import time
from collections.abc import Callable
from typing import Any

import jwt
import pytest

from tests.stack import wait_until
from vote import auth
from vote.auth import TokenClaims, create_jwt_token, read_jwt_token
from vote.errors import HasherBusy, NotLoggedIn
from vote.identity.bearer_tokens import read_own_token

SECRET = "the-present-secret-0123456789abcdefgh"
STRANGERS = "a-strangers-secret-0123456789abcdefgh"
OLD = "the-previous-secret-0123456789abcdefg"
NOW = 1_800_000_000.0

Reader = Callable[..., TokenClaims]


def slow(token: str, *, now: float = NOW) -> TokenClaims:
    return read_jwt_token(token, secrets_=[SECRET, OLD], now=now)


def fast(token: str, *, now: float = NOW) -> TokenClaims:
    return read_own_token(token.encode("utf-8", "surrogateescape"), secrets=[SECRET.encode(), OLD.encode()], now=now)


def b64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def claims(**other: Any) -> dict[str, Any]:
    """The claims of a good token, changed."""
    good = {"iss": "vote-app", "aud": "vote-app", "sub": "7", "exp": int(NOW) + 86400, "nbf": int(NOW), "iat": int(NOW)}
    return {name: value for name, value in {**good, "jti": "abc", **other}.items() if value is not ...}


def signed(payload: object, *, secret: str = SECRET, header: object = None, digest: Any = hashlib.sha256) -> str:
    """A token with any header and payload, signed by hand."""
    text = payload if isinstance(payload, str) else json.dumps(payload, separators=(",", ":"))
    head = b64(json.dumps(header or {"alg": "HS256", "typ": "JWT"}, separators=(",", ":")).encode())
    body = f"{head}.{b64(text.encode())}"
    return f"{body}.{b64(hmac.new(secret.encode(), body.encode(), digest).digest())}"


def unsigned(alg: str) -> str:
    return signed(claims(), header={"alg": alg, "typ": "JWT"}).rpartition(".")[0] + "."


GOOD = create_jwt_token(7, secret=SECRET, now=NOW)
HEAD, PAYLOAD, SIGNATURE = GOOD.split(".")

FORGED = {
    "empty": "",
    "not a token": "abc",
    "two parts": f"{HEAD}.{PAYLOAD}",
    "four parts": f"{GOOD}.x",
    "empty signature": f"{HEAD}.{PAYLOAD}.",
    "cut signature": GOOD[:-2],
    "other signature": f"{HEAD}.{PAYLOAD}.{b64(b'x' * 32)}",
    "padded signature": GOOD + "=",
    "alg none": unsigned("none"),
    "alg None": unsigned("None"),
    "alg nOnE": unsigned("nOnE"),
    "none with the right signature": signed(claims(), header={"alg": "none", "typ": "JWT"}),
    "HS512": jwt.encode(claims(), SECRET * 2, algorithm="HS512"),
    "HS384 with our key": signed(claims(), header={"alg": "HS384", "typ": "JWT"}, digest=hashlib.sha384),
    "RS256 claimed": signed(claims(), header={"alg": "RS256", "typ": "JWT"}),
    "another key": signed(claims(), secret=STRANGERS),
    "empty key": signed(claims(), secret=""),
    "another payload": f"{HEAD}.{b64(json.dumps(claims(sub='1')).encode())}.{SIGNATURE}",
    "wrong iss": signed(claims(iss="other")),
    "no iss": signed(claims(iss=...)),
    "wrong aud": signed(claims(aud="other")),
    "aud as list": signed(claims(aud=["vote-app"])),
    "no aud": signed(claims(aud=...)),
    "expired": signed(claims(exp=int(NOW) - 1)),
    "expires now": signed(claims(exp=int(NOW))),
    "no exp": signed(claims(exp=...)),
    "exp as text": signed(claims(exp=str(int(NOW) + 60))),
    "lives too long": signed(claims(exp=int(NOW) + 86401)),
    "not yet": signed(claims(nbf=int(NOW) + 1)),
    "from the future": signed(claims(iat=int(NOW) + 1)),
    "no nbf": signed(claims(nbf=...)),
    "no jti": signed(claims(jti=...)),
    "jti a number": signed(claims(jti=7)),
    "sub a number": signed(claims(sub=7)),
    "sub zero": signed(claims(sub="0")),
    "sub negative": signed(claims(sub="-7")),
    "sub not decimal": signed(claims(sub="\N{ARABIC-INDIC DIGIT SEVEN}")),
    "sub padded": signed(claims(sub="07")),
    "sub out of range": signed(claims(sub="4503599627370496")),
    "sub absent": signed(claims(sub=...)),
    "one claim more": signed(claims(role="admin")),
    "a list": signed([1, 2]),
    "not JSON": signed("{"),
    "typ of another purpose": signed(claims(), header={"alg": "HS256", "typ": "reset+jwt"}),
    "no typ": signed(claims(), header={"alg": "HS256"}),
    "kid from elsewhere": signed(claims(), header={"alg": "HS256", "typ": "JWT", "kid": "../../dev/null"}, secret=""),
    "jku": signed(
        claims(), header={"alg": "HS256", "typ": "JWT", "jku": "https://evil.example/keys"}, secret=STRANGERS
    ),
    "jwk in the header": signed(
        claims(), header={"alg": "HS256", "typ": "JWT", "jwk": {"k": b64(b"x" * 32)}}, secret="x" * 32
    ),
    "x5u": signed(
        claims(), header={"alg": "HS256", "typ": "JWT", "x5u": "https://evil.example/cert"}, secret=STRANGERS
    ),
    "crit": signed(claims(), header={"alg": "HS256", "typ": "JWT", "crit": ["exp"]}, secret=STRANGERS),
    "a claim twice": signed(json.dumps(claims(), separators=(",", ":"))[:-1] + ',"sub":"1"}'),
    "a claim twice, the first one another's": signed('{"sub":"1",' + json.dumps(claims(), separators=(",", ":"))[1:]),
    "signed with the session's key": signed(claims(), secret="the-key-of-sessions-0123456789abcdefgh"),
    "deeply nested": signed("[" * 300),
    "infinite": signed(json.dumps(claims()).replace(str(int(NOW) + 86400), "Infinity")),
    "not UTF-8": f"{HEAD}.{b64(bytes([255, 254]))}.{SIGNATURE}",
    "one megabyte": "a" * 1_000_000,
    "not ASCII": "tökén.ä.ö",
    "white space": f" {GOOD}",
    "line break": f"{GOOD}\n",
}


@pytest.mark.parametrize("read", [slow, fast])
@pytest.mark.parametrize("name", FORGED)
def test_a_forged_token_is_nobody(read: Reader, name: str) -> None:
    with pytest.raises(NotLoggedIn):
        read(FORGED[name])


@pytest.mark.parametrize("read", [slow, fast])
@pytest.mark.parametrize("secret", [SECRET, OLD])
def test_a_token_of_ours_is_read(read: Reader, secret: str) -> None:
    token = read(create_jwt_token(42, secret=secret, now=NOW))

    assert (token.user_id, token.issued_at, token.expires_at) == (42, int(NOW), int(NOW) + 24 * 3600)


@pytest.mark.parametrize("read", [slow, fast])
def test_a_token_lives_24_hours_to_the_second(read: Reader) -> None:
    assert read(GOOD, now=NOW + 24 * 3600 - 1).user_id == 7
    with pytest.raises(NotLoggedIn):
        read(GOOD, now=NOW + 24 * 3600)


def test_a_token_holds_exactly_the_claims_of_the_contract() -> None:
    assert jwt.get_unverified_header(GOOD) == {"alg": "HS256", "typ": "JWT"}
    decoded = jwt.decode(
        GOOD,
        SECRET,
        algorithms=["HS256"],
        audience="vote-app",
        options={"verify_exp": False, "verify_nbf": False, "verify_iat": False},
    )
    assert set(decoded) == {"iss", "aud", "sub", "exp", "nbf", "iat", "jti"}
    assert decoded["sub"] == "7"
    assert (
        jwt.decode(create_jwt_token(7, secret=SECRET), SECRET, algorithms=["HS256"], audience="vote-app")["iat"]
        <= time.time()
    )


def test_a_password_is_pbkdf2_with_a_salt_and_600_000_rounds() -> None:
    stored, other = auth.hash_password("Pass123!"), auth.hash_password("Pass123!")

    method, salt, digest = stored.split("$")
    assert method == "pbkdf2:sha256:600000"
    assert hashlib.pbkdf2_hmac("sha256", b"Pass123!", salt.encode(), 600_000).hex() == digest
    assert stored != other
    assert auth.verify_password("Pass123!", stored)
    assert not auth.verify_password("Pass123", stored)
    assert not auth.needs_rehash(stored)


@pytest.mark.parametrize(
    "stored",
    [
        "",
        "$",
        "plain",
        "pbkdf2:sha1:1000$a$00",
        "scrypt:32768:8:1$a$00",
        "pbkdf2:sha256:0$a$00",
        "pbkdf2:sha256:x$a$00",
        "pbkdf2:sha256:99999999999$a$00",
        "pbkdf2:sha256:1000$a$zz",
    ],
)
def test_a_hash_that_cannot_be_read_verifies_nothing(stored: str) -> None:
    assert not auth.verify_password("Pass123!", stored)


def test_no_part_of_a_long_password_is_cut() -> None:
    stored = auth.hash_password("ä" * 100 + "x", rounds=1000)

    assert auth.verify_password("ä" * 100 + "x", stored)
    assert not auth.verify_password("ä" * 100 + "y", stored)
    assert auth.needs_rehash(stored)


def test_the_line_before_the_hasher_has_an_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two places: one is hashed, one waits, and whoever comes next is told so at once."""
    hasher, go_on, begun = auth.PasswordHasher(1, places=2), threading.Event(), threading.Event()

    def slow(*_: object, **__: object) -> bool:
        begun.set()
        return go_on.wait(10)

    monkeypatch.setattr(auth, "verify_password", slow)
    waiting = [threading.Thread(target=hasher.verify, args=("x", "stored"), daemon=True) for _ in range(2)]
    for one in waiting:
        one.start()
    assert begun.wait(10)
    wait_until(lambda: hasher._places._value == 0)  # the second has come in too
    alarm = threading.Timer(5, go_on.set)  # a line without an end would wait until then
    alarm.start()
    with pytest.raises(HasherBusy):
        hasher.verify("x", "stored")
    with pytest.raises(HasherBusy):
        hasher.check_free()
    assert not go_on.is_set(), "at once"
    alarm.cancel()
    go_on.set()
    for one in waiting:
        one.join(10)
    hasher.check_free()
    assert hasher.verify("x", "stored"), "there is room again"
    hasher.close()
