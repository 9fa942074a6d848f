"""The If-Match header of a change: which versions its sender has seen (RFC 9110 §13.1.1)."""

import re
from typing import Final

from vote.errors import StaleVersion, UnreadableVersion, VersionRequired

ANY: Final = "*"
TAG: Final = r'(?:W/)?"[!#-~]*"'  # RFC 9110 §8.8.3, without the bytes beyond ASCII: no tag of ours has any
PATTERN: Final = (
    rf"^(?:\*|{TAG}(?:[ \t]*,[ \t]*{TAG})*)$"  # also in the API document, so in words that JSON Schema knows
)
SENT_MAX_CHARS: Final = 1_024  # some thirty tags

_LIST = re.compile(PATTERN)
_TAG = re.compile(TAG)


def check(sent: str | None, etag: str) -> str:
    """What to hold the change against: `etag`, the present one, when it is among those sent, or `*`.

    Raises VersionRequired without a header, UnreadableVersion for one that is empty or no list of tags, StaleVersion when
    the present one is not in it. A weak tag is never the present one (RFC 9110 §8.8.3.2).
    """
    if sent is None:
        raise VersionRequired
    if len(sent) > SENT_MAX_CHARS or not _LIST.match(sent.strip()):
        raise UnreadableVersion
    if sent.strip() == ANY:
        return ANY
    if etag not in _TAG.findall(sent):
        raise StaleVersion
    return etag
