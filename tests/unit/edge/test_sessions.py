"""How the session's cookie is signed."""

import base64
import hmac

from vote import config
from vote.edge import sessions
from vote.edge.sessions import SessionCookie

KEY = "n5Jx0bQm8ZrT2wLk7VcY4hDs9GfP1aEu"
SETTINGS = config.load({"FLASK_SECRET_KEY": KEY, "JWT_SECRET": "q3Wv6KzX9tRb1MnC5yHj8LpG0dSf7UeA"})


def signed(payload: bytes, digest: str) -> str:
    """A cookie signed by hand, as itsdangerous does with this digest."""
    derived = hmac.digest(KEY.encode("ascii"), b"cookie-session", digest)
    signature = base64.urlsafe_b64encode(hmac.digest(derived, payload, digest)).rstrip(b"=")
    return f"{SessionCookie(SETTINGS).name}={(payload + b'.' + signature).decode('ascii')}"


def test_a_session_is_signed_with_hmac_sha_256_and_with_nothing_less() -> None:
    cookie = SessionCookie(SETTINGS).write({"sid": "one"}).partition(";")[0]
    payload = cookie.partition("=")[2].rpartition(".")[0].encode("ascii")

    assert signed(payload, "sha256") == cookie
    assert SessionCookie(SETTINGS).read(cookie) == {"sid": "one"}
    assert SessionCookie(SETTINGS).read(signed(payload, "sha1")) == {}
    assert sessions.SessionInterface.digest_method().name == "sha256", "Flask writes the same"
