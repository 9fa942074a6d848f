"""Whether a secret looks like something a random generator made. Used by `config.py`, which says where that matters.

This cannot measure randomness; it names what people put where a secret belongs: placeholders, one character many times,
a row of the keyboard. What `secrets.token_urlsafe(32)` or `openssl rand -hex 32` makes passes, but for one in a million.
"""

import itertools
import re

MIN_DISTINCT = 8  # 32 random hexadecimal digits have fewer in one of a hundred million cases
PLACEHOLDER = re.compile(
    r"change|default|example|insecure|password|placeholder|replace|secret|your[-_]"
    r"|^<.*>$|^\$\{.*\}$|^\{\{.*\}\}$",  # what a tool was to fill in
    re.IGNORECASE,
)


def weakness(secret: str) -> str | None:
    """What is wrong with it, to be read after its name; None when nothing is."""
    if PLACEHOLDER.search(secret):
        return "looks like a placeholder"
    if len(set(secret)) < MIN_DISTINCT or (secret + secret).find(secret, 1) < len(secret):
        return "repeats itself"
    steps = [ord(second) - ord(first) for first, second in itertools.pairwise(secret)]
    if sum(abs(step) <= 1 for step in steps) > len(steps) / 2:
        return "is a row of neighbouring characters"
    return None
