"""Refuses new passwords that are too easy to guess (NIST SP 800-63B §3.1.1.2, OWASP ASVS 5.0 V6.2).

There are no rules about kinds of characters. Refused are the passwords that attackers try first: common ones
(`common-passwords.txt`; `common-passwords.origin.txt` names its source), and words of this product and the owner's name
with only a few digits or punctuation marks around them. Input validation checks the length
(`web/api/account_models.py`), and nothing is truncated.
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
FILLING_MAX = 8  # digits and signs beside such words: with more, guessing the word is no longer enough

CHOOSE_ANOTHER = "Choose another; a few words in a row are easy to remember."
TOO_COMMON = f"This is one of the first passwords attackers try. {CHOOSE_ANOTHER}"
TOO_CLOSE = f"This is little more than your name or a word from this site. {CHOOSE_ANOTHER}"


def weakness(password: str, *, own: Iterable[str] = ()) -> str | None:
    """Return why the password is too easy to guess, as a sentence, or None. `own`: its owner's name and address."""
    folded = text_key(password)
    if folded in _common():
        return TOO_COMMON
    letters = _letters(folded)
    if len(folded) - len(letters) <= FILLING_MAX and _is_made_of(letters, {*PRODUCT_WORDS, *_own_words(own)}):
        return TOO_CLOSE
    return None


def _own_words(own: Iterable[str]) -> Iterator[str]:
    """Yield `adalove`, `ada` and `love` for `ada.love-1@example.org`: words of what stands before the @."""
    for name in own:
        local = text_key(name).partition("@")[0]
        yield from (word for word in (_letters(local), *re.split(r"[\W\d_]+", local)) if len(word) > 2)


def _is_made_of(text: str, words: Collection[str]) -> bool:
    """Return whether the text is a row of these words. Linear in the text, whatever the words are."""
    reached = {0}
    for start in range(len(text)):
        if start in reached:
            reached |= {start + len(word) for word in words if text.startswith(word, start)}
    return bool(text) and len(text) in reached


def _letters(text: str) -> str:
    return "".join(character for character in text if character.isalpha())


@cache
def _common() -> frozenset[str]:
    return frozenset(COMMON.read_text(encoding="utf-8").splitlines())
