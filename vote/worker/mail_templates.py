"""The texts of mails: plain text, no images, no trackers. `actions/` decides when to send which."""

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
    """Return the mail of this kind. `site` is the base of links; `token` is the link's token, if the kind has one."""
    subject, said = LETTERS[kind]
    link = f"{site}/{kind}#{token}"
    said = said.format(link=link, token=token, forgot=f"{site}/forgot", account=f"{site}/account")
    paragraphs = [f"Hello {username},", *(_wrapped(one) for one in said.split("\n\n")), f"-- \n{site}\n"]
    return RenderedMail(subject, "\n\n".join(paragraphs))


def _wrapped(paragraph: str) -> str:
    """Wrap text to lines that every mail program shows whole; a link stays in one piece."""
    return textwrap.fill(paragraph, LINE_MAX_CHARS, break_long_words=False, break_on_hyphens=False)


_NOT_YOU = "If this wasn't you, set a new password at once: {forgot}"
_PASTE = "If the page asks for a code, enter this one:\n\n{token}"

LETTERS: dict[Kind, tuple[str, str]] = {
    "reset": (
        "Reset your password",
        "Someone, hopefully you, asked to reset the password of your account. Choose a new one here within "
        f"{RESET_MINUTES} minutes; the link works once:\n\n{{link}}\n\n{_PASTE}\n\n"
        "If you didn't ask for this, do nothing. Your password stays the same.",
    ),
    "confirm": (
        "Confirm your email address",
        "Open this link within a day and press the button there, to confirm that our emails reach you:\n\n"
        f"{{link}}\n\n{_PASTE}\n\nIf you have no account here, do nothing. Someone mistyped their address.",
    ),
    "address": (
        "Your email address was changed",
        "The email address of your account was changed to another one. This is the last email to this address.\n\n"
        "If this wasn't you, tell the people who run the site at once.",
    ),
    "password": (
        "Your password was changed",
        f"The password of your account was changed, and all other sessions were logged out.\n\n{_NOT_YOU}",
    ),
    "locked": (
        "Someone is guessing your password",
        "There were 100 wrong passwords for your account within a day. Until that day is over, you can log in only on "
        "devices you have used before.\n\nYour votes are safe. Was it you, because you forgot the password? Set a new one; "
        "this also unlocks your account:\n\n{forgot}",
    ),
    "unlocked": (
        "Your account is unlocked",
        "An admin has unlocked your account. You can log in from anywhere again.\n\n"
        "Whoever was guessing your password may continue. If it is easy to guess, choose another: {account}",
    ),
}
