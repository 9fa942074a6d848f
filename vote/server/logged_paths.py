"""The path of a request as lines show it: our own words and numbers, up to the first part that is neither.

Everything else is a client's text. It may be a receipt, an access code, or a password in the wrong place.
"""

from functools import lru_cache

from vote.input_limits import LOGGED_PATH_MAX_CHARS

OTHER = "-"
ID_MAX_DIGITS = 16
PATHS_KEPT = 1_000

# The words of all routes; a test compares them with the app's. What leads to an access code must stay out of here.
WORDS = frozenset(
    """
    account admin api archive close competitions confirm correct decide delete devices disable docs email enable export
    finish forget forgot gaps health how-it-counts live locks login logout logout-everywhere me metrics new open openapi.json
    outbox password people privacy ready receipts register reinstate reopen reset results role schedule set-aside static
    unlock vote
    """.split()  # noqa: SIM905  # as a list of literals they would fill a page
)


def logged_path(path: str) -> str:
    """Return the path, with `-` in place of the first part that is neither a word of ours nor a number, and what follows."""
    return _shown(path[: LOGGED_PATH_MAX_CHARS + 1])


@lru_cache(PATHS_KEPT)
def _shown(path: str) -> str:
    shown = []
    for part in path.split("/"):
        if part and part not in WORDS and not _is_number(part):
            shown.append(OTHER)
            break
        shown.append(part)
    return "/".join(shown)[:LOGGED_PATH_MAX_CHARS]


def _is_number(part: str) -> bool:
    return len(part) <= ID_MAX_DIGITS and part.isascii() and part.isdigit()
