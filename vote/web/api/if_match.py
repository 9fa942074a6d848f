"""Reads the If-Match header of a change: the versions that its sender has seen (RFC 9110 §13.1.1)."""

import re
from typing import Final

from vote.errors import StaleVersion, UnreadableVersion, VersionRequired

ANY: Final = "*"
TAG: Final = r'(?:W/)?"[!#-~]*"'  # RFC 9110 §8.8.3, without bytes beyond ASCII, which none of our tags has
PATTERN: Final = (
    rf"^(?:\*|{TAG}(?:[ \t]*,[ \t]*{TAG})*)$"  # also in the API document, so limited to JSON Schema's syntax
)
SENT_MAX_CHARS: Final = 1_024  # some thirty tags

_LIST = re.compile(PATTERN)
_TAG = re.compile(TAG)


def check(sent: str | None, etag: str) -> str:
    """Return the tag to hold the change against: `etag`, the current one, if it is among those sent, or `*`.

    Raises VersionRequired without a header, UnreadableVersion if it is empty or not a list of tags, StaleVersion if the
    current tag is not in it. A weak tag never matches (RFC 9110 §8.8.3.2).
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
