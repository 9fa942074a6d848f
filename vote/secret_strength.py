"""Whether a secret looks like something a random generator made. Where that matters is said in `production_rules.py`.

Nobody can measure randomness in one text. What can be measured is how well a reader would guess each character from the one
before: after `q` on a keyboard `w`, after `t` in a word `h`, after `7` in a row `8`, and in what was written already all
that followed. What `secrets.token_urlsafe(32)`, `openssl rand -hex 16` or `uuidgen` make is far above MIN_BITS, whatever
comes of the dice; a row of the keyboard, a sentence or a date with a name is below (docs/adr/0046).
"""

import itertools
import math
import re

MIN_DISTINCT = 8  # 32 random hexadecimal digits have fewer in one of a hundred million cases
MIN_BITS = 85
PLACEHOLDER = re.compile(
    r"change|default|example|insecure|password|placeholder|replace|secret|your[-_]"
    r"|^<.*>$|^\$\{.*\}$|^\{\{.*\}\}$",  # what a tool was to fill in
    re.IGNORECASE,
)
# Rows as they lie under the fingers, and what is reached by going down from a figure: QWERTY, QWERTZ, AZERTY, Dvorak.
ROWS = """
    `1234567890-= ~!@#$%^&*()_+ qwertyuiop[] asdfghjkl;' zxcvbnm,./ qwertzuiop yxcvbnm,.- azertyuiop qsdfghjklm wxcvbn,;:!
    ',.pyfgcrl aoeuidhtns ;qjkxbmwvz 1qaz 2wsx 3edc 4rfv 5tgb 6yhn 7ujm 8ik, 9ol. 0p;/ 1qay 6zhn 1aqw 2zsx
"""
# Pairs of letters that make up four fifths of English, and most of what follows what in other languages of this alphabet.
PAIRS = """
    th he in er an re nd at on nt ha es st en ed to it ou ea hi is or ti as te et ng of al de se le sa si ar ve ra ld ur ro
    me co ne ic li ri io be el ch ll ma om ce om ca ta ho wa ot us il ec ee ss no ut ac la un wh tr so we ge pa pe po pr
    fo ke ow ay ad am ag ap em id im ir ol op os da do di em ev ai ie ei mo mi my na ni oo rs ry rt tt vi wi yo ab
    ck ct ff if ly ns oc od ul up ys sh rd
"""
NEXT_KEY_BITS, REPEAT_BITS, PAIR_BITS = 1.0, 0.5, 2.0
REPEAT_CHARS = 4  # so many that stood there before are no accident


def weakness(secret: str) -> str | None:
    """Return what is wrong with it, to be read after its name; None when nothing is."""
    if PLACEHOLDER.search(secret):
        return "looks like a placeholder"
    if len(set(secret)) < MIN_DISTINCT or (secret + secret).find(secret, 1) < len(secret):
        return "repeats itself"
    steps = [ord(second) - ord(first) for first, second in itertools.pairwise(secret)]
    if sum(abs(step) <= 1 for step in steps) > len(steps) / 2:
        return "is a row of neighbouring characters"
    if bits(secret) < MIN_BITS:
        return "can be guessed: it is made of words, keys that lie side by side, or pieces that come again"
    return None


def bits(secret: str) -> float:
    """Return about how many yes-or-no questions it takes to find this text; a text that is easy to guess has few."""
    text = secret.casefold()
    symbols = len({char for char in text if not char.isalnum()})
    repeated, guessed = _repeated(text), [_as_guessed(text, place) for place in range(len(text))]
    total = 0.0
    for place, char in enumerate(text):
        # One guess that is right may be chance; two in a row are a habit.
        is_habit = any(None not in guessed[start : start + 2] for start in (place - 1, place) if start >= 0)
        cost, alone = guessed[place] if is_habit else None, _local(char, symbols)
        total += REPEAT_BITS if place in repeated else min(alone, cost or alone)
    return total


def _as_guessed(text: str, place: int) -> float | None:
    """What a character costs who guesses it from the one before it, or from the one before that; None where nobody would."""
    if not place:
        return None
    pair, other = text[place - 1 : place + 1], text[place - 2 : place + 1 : 2] if place > 1 else ""
    if (
        pair in NEIGHBOURS
        or abs(ord(pair[0]) - ord(pair[1])) <= 1
        or (other and abs(ord(other[0]) - ord(other[1])) == 1)
    ):
        return NEXT_KEY_BITS
    return PAIR_BITS if pair in COMMON else None


def _local(char: str, symbols: int) -> float:
    if char.isdigit():
        return math.log2(10)
    return math.log2(26) if char.isalpha() else math.log2(symbols + 1)


def _repeated(text: str) -> set[int]:
    """The places of all that stood in the text before, forwards or backwards."""
    found: set[int] = set()
    for place in range(1, len(text) - REPEAT_CHARS + 1):
        piece, before = text[place : place + REPEAT_CHARS], text[: place + REPEAT_CHARS - 1]
        if piece in before or piece[::-1] in text[:place]:
            found.update(range(place, place + REPEAT_CHARS))
    return found


NEIGHBOURS = {
    pair for row in ROWS.split() for way in (row, row[::-1]) for pair in map("".join, itertools.pairwise(way))
}
COMMON = frozenset(PAIRS.split())
