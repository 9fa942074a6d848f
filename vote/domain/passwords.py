"""Which new passwords are too easy to guess: NIST SP 800-63B §3.1.1.2, OWASP ASVS 5.0 V6.2. How long one must be, and that
nothing is cut, is said where input is checked (`web/api/account_models.py`).

There are no rules about kinds of characters. What is refused is what attackers try first: passwords that many people
chose (`common-passwords.txt`; where it comes from is in `common-passwords.origin.txt`), the words of this product, and
one's own name, with nothing but a few digits or signs around them.
"""

import re
from collections.abc import Collection, Iterable, Iterator
from functools import cache
from pathlib import Path

from vote.domain.folding import text_key

COMMON = Path(__file__).with_name("common-passwords.txt")
# fmt: off
PRODUCT_WORDS = (
    "admin", "administrator", "app", "ballot", "ballotbox", "choice", "competition", "election", "login", "option",
    "organiser", "organizer", "passwd", "password", "poll", "receipt", "register", "result", "results", "tally",
    "vote", "voter", "voters", "votes", "voting", "welcome", "winner",
)
# fmt: on
FILLING_MAX = 8  # digits and signs beside such words: with more of them it is no longer the word that is guessed

TOO_COMMON = (
    "This is one of the first passwords that attackers try. Choose another; a few words in a row are easy to remember."
)
TOO_CLOSE = (
    "This is little more than a name or a word of this site. Choose another; a few words in a row are easy to remember."
)


def weakness(password: str, *, own: Iterable[str] = ()) -> str | None:
    """Why this password is too easy to guess, as a sentence; None when it is not. `own`: name and address of its owner."""
    folded = text_key(password)
    if folded in _common():
        return TOO_COMMON
    letters = _letters(folded)
    if len(folded) - len(letters) <= FILLING_MAX and _is_made_of(letters, {*PRODUCT_WORDS, *_own_words(own)}):
        return TOO_CLOSE
    return None


def _own_words(own: Iterable[str]) -> Iterator[str]:
    """Of `ada.love-1@example.org`, before the @: `adalove`, and `ada` and `love`."""
    for name in own:
        local = text_key(name).partition("@")[0]
        yield from (word for word in (_letters(local), *re.split(r"[\W\d_]+", local)) if len(word) > 2)


def _is_made_of(text: str, words: Collection[str]) -> bool:
    """Whether the text is some of the words in a row. Linear in the text, whatever the words are."""
    reached = {0}
    for at in range(len(text)):
        if at in reached:
            reached |= {at + len(word) for word in words if text.startswith(word, at)}
    return bool(text) and len(text) in reached


def _letters(text: str) -> str:
    return "".join(character for character in text if character.isalpha())


@cache
def _common() -> frozenset[str]:
    return frozenset(COMMON.read_text(encoding="utf-8").splitlines())
