"""What mails say: plain text, no pictures, no trackers. Which are written when is in `actions/`."""

import textwrap
from typing import NamedTuple

from vote.db.outbox import Kind

LINE_MAX_CHARS = 72
RESET_MINUTES = 30
CONFIRM_MINUTES = 24 * 60


class RenderedMail(NamedTuple):
    """A mail's subject and body."""

    subject: str
    body: str


def render(kind: Kind, *, username: str, site: str, token: str | None) -> RenderedMail:
    """The mail of this kind. `site` begins its links; `token` is what a link carries, for the kinds that have one."""
    subject, said = LETTERS[kind]
    link = f"{site}/{kind}#{token}"
    said = said.format(link=link, token=token, forgot=f"{site}/forgot", account=f"{site}/account")
    paragraphs = [f"Hello {username},", *(_wrapped(one) for one in said.split("\n\n")), f"-- \n{site}\n"]
    return RenderedMail(subject, "\n\n".join(paragraphs))


def _wrapped(paragraph: str) -> str:
    """In lines that every mail program shows whole; a link stays in one piece."""
    return textwrap.fill(paragraph, LINE_MAX_CHARS, break_long_words=False, break_on_hyphens=False)


_NOT_YOU = "If that was not you, set a new password at once: {forgot}"
_PASTE = "If the page asks for a code, it is this one:\n\n{token}"

LETTERS: dict[Kind, tuple[str, str]] = {
    "reset": (
        "A new password",
        "somebody, hopefully you, asked for a new password for your account. Choose one here within "
        f"{RESET_MINUTES} minutes; the link works once:\n\n{{link}}\n\n{_PASTE}\n\n"
        "If you did not ask, do nothing: your password stays as it is.",
    ),
    "confirm": (
        "Confirm your e-mail address",
        "open this link within a day and press the button there, so that we know mail to this address reaches you:\n\n"
        f"{{link}}\n\n{_PASTE}\n\nIf you have no account here, do nothing: somebody has mistyped an address.",
    ),
    "address": (
        "Your e-mail address was changed",
        "the e-mail address of your account was changed to another one. This is the last mail to this address.\n\n"
        "If that was not you, tell whoever runs the site at once.",
    ),
    "password": (
        "Your password was changed",
        f"the password of your account was changed, and everything that was logged in with it is out.\n\n{_NOT_YOU}",
    ),
    "locked": (
        "Somebody is guessing your password",
        "there were 100 wrong passwords for your account within a day, so no more are tried until the day is over. On "
        "devices on which you have logged in before, you can log in as always.\n\nYour votes are safe. Was it you, and is "
        "the password gone? Set a new one; that unlocks the account too:\n\n{forgot}",
    ),
    "unlocked": (
        "Your account is unlocked",
        "an admin has unlocked your account: it can be logged in to from everywhere again.\n\n"
        "Who guessed your password may go on. If it is an easy one, choose another: {account}",
    ),
}
