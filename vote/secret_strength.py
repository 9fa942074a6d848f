"""Judge whether a secret looks randomly generated. `production_rules.py` applies it.

Randomness cannot be measured in a single text. What can be measured is how well each character is predicted by the one
before: after `q` on a keyboard `w`, after `t` in a word `h`, after `7` in a sequence `8`, and after a repeated piece what
followed it before. Secrets from `secrets.token_urlsafe(32)`, `openssl rand -hex 16` or `uuidgen` are always far above
MIN_BITS; a keyboard row, a sentence or a date with a name is below (docs/adr/0046).
"""

import itertools
import math
import re

MIN_DISTINCT = 8  # 32 random hexadecimal digits have fewer once in a hundred million
MIN_BITS = 85
PLACEHOLDER = re.compile(
    r"change|default|example|insecure|password|placeholder|replace|secret|your[-_]"
    r"|^<.*>$|^\$\{.*\}$|^\{\{.*\}\}$",  # template variables that were not filled in
    re.IGNORECASE,
)
# Keyboard rows, and columns down from a digit: QWERTY, QWERTZ, AZERTY, Dvorak.
ROWS = """
    `1234567890-= ~!@#$%^&*()_+ qwertyuiop[] asdfghjkl;' zxcvbnm,./ qwertzuiop yxcvbnm,.- azertyuiop qsdfghjklm wxcvbn,;:!
    ',.pyfgcrl aoeuidhtns ;qjkxbmwvz 1qaz 2wsx 3edc 4rfv 5tgb 6yhn 7ujm 8ik, 9ol. 0p;/ 1qay 6zhn 1aqw 2zsx
"""
# Letter pairs that make up four fifths of English text, and most common pairs of other languages in this alphabet.
PAIRS = """
    th he in er an re nd at on nt ha es st en ed to it ou ea hi is or ti as te et ng of al de se le sa si ar ve ra ld ur ro
    me co ne ic li ri io be el ch ll ma om ce om ca ta ho wa ot us il ec ee ss no ut ac la un wh tr so we ge pa pe po pr
    fo ke ow ay ad am ag ap em id im ir ol op os da do di em ev ai ie ei mo mi my na ni oo rs ry rt tt vi wi yo ab
    ck ct ff if ly ns oc od ul up ys sh rd
"""
NEXT_KEY_BITS, REPEAT_BITS, PAIR_BITS = 1.0, 0.5, 2.0
REPEAT_CHARS = 4  # a repeated piece of this length is no accident


def weakness(secret: str) -> str | None:
    """Return what is wrong with a secret, to be read after its name; None when nothing is."""
    if PLACEHOLDER.search(secret):
        return "looks like a placeholder"
    if len(set(secret)) < MIN_DISTINCT or (secret + secret).find(secret, 1) < len(secret):
        return "repeats itself"
    steps = [ord(second) - ord(first) for first, second in itertools.pairwise(secret)]
    if sum(abs(step) <= 1 for step in steps) > len(steps) / 2:
        return "is a row of neighbouring characters"
    if bits(secret) < MIN_BITS:
        return "can be guessed: it consists of words, neighbouring keys or repeated pieces"
    return None


def bits(secret: str) -> float:
    """Return an estimate of the text's entropy in bits; a text that is easy to guess has few."""
    text = secret.casefold()
    symbols = len({char for char in text if not char.isalnum()})
    repeated, predicted = _repeated_indexes(text), [_predicted_bits(text, index) for index in range(len(text))]
    total = 0.0
    for index, char in enumerate(text):
        # One correct prediction may be chance; two in a row are a pattern.
        is_pattern = any(None not in predicted[start : start + 2] for start in (index - 1, index) if start >= 0)
        cost, random = predicted[index] if is_pattern else None, _random_bits(char, symbols)
        total += REPEAT_BITS if index in repeated else min(random, cost or random)
    return total


def _predicted_bits(text: str, index: int) -> float | None:
    """Return the bits of a character predicted from the one or two before it; None if nothing predicts it."""
    if not index:
        return None
    pair, other = text[index - 1 : index + 1], text[index - 2 : index + 1 : 2] if index > 1 else ""
    if (
        pair in NEIGHBOURS
        or abs(ord(pair[0]) - ord(pair[1])) <= 1
        or (other and abs(ord(other[0]) - ord(other[1])) == 1)
    ):
        return NEXT_KEY_BITS
    return PAIR_BITS if pair in COMMON else None


def _random_bits(char: str, symbols: int) -> float:
    if char.isdigit():
        return math.log2(10)
    return math.log2(26) if char.isalpha() else math.log2(symbols + 1)


def _repeated_indexes(text: str) -> set[int]:
    """Return the indexes of characters in pieces that occurred earlier, forwards or backwards."""
    repeated: set[int] = set()
    for index in range(1, len(text) - REPEAT_CHARS + 1):
        piece, before = text[index : index + REPEAT_CHARS], text[: index + REPEAT_CHARS - 1]
        if piece in before or piece[::-1] in text[:index]:
            repeated.update(range(index, index + REPEAT_CHARS))
    return repeated


NEIGHBOURS = {
    pair for row in ROWS.split() for way in (row, row[::-1]) for pair in map("".join, itertools.pairwise(way))
}
COMMON = frozenset(PAIRS.split())
