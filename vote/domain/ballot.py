"""A ballot: what a voter submits. Its shard and its receipt depend only on voter and competition."""

from dataclasses import dataclass
from datetime import datetime
from hashlib import blake2b
from uuid import UUID

from vote.mac import mac

RECEIPT_BYTES = 10  # 80 bits: 16 characters to read aloud; a guess hits one of 10^7 receipts with probability 10^-17
RECEIPT_GROUP = 4
_BASE32 = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"  # RFC 4648 §6
# Two characters at a time: base64.b32encode would take as long as the hash itself, and every vote waits for both.
_PAIRS = [first + second for first in _BASE32 for second in _BASE32]


@dataclass(frozen=True, slots=True)
class Ballot:
    """An accepted ballot as the log holds it. `id` is random, made for this ballot, and the key of the journal (R4)."""

    id: UUID
    competition: int
    voter: int
    choice: str
    cast_at: datetime


def shard_of(competition: int, voter: int, shards: int) -> int:
    """Return the shard, 0 … shards-1, that holds every ballot of this voter in this competition: a stable hash.

    It must never change for a running log: in another shard the voter could vote a second time.
    """
    digest = blake2b(b"%d:%d" % (competition, voter), digest_size=8).digest()
    return int.from_bytes(digest, "big") % shards


def receipt_code(key: bytes, voter: int) -> str:
    """Return the voter's receipt in the competition with this key: the same on every retry, without a lookup (R1).

    A keyed hash (RFC 2104), so it neither shows the choice nor can be computed without the key.
    """
    assert key, "a copy from the cache has no key: anybody could compute a receipt without one"
    digest = mac(key, b"%d" % voter)
    half = RECEIPT_BYTES // 2
    high, low = int.from_bytes(digest[:half]), int.from_bytes(digest[half:RECEIPT_BYTES])
    return (
        f"{_PAIRS[high >> 30]}{_PAIRS[high >> 20 & 1023]}-{_PAIRS[high >> 10 & 1023]}{_PAIRS[high & 1023]}-"
        f"{_PAIRS[low >> 30]}{_PAIRS[low >> 20 & 1023]}-{_PAIRS[low >> 10 & 1023]}{_PAIRS[low & 1023]}"
    )


def group_receipt(text: str) -> str:
    """Return a typed receipt as `ABCD-EFGH-IJKL-MNOP`; case, spaces and dashes do not matter."""
    plain = "".join(text.split()).replace("-", "").upper()
    return "-".join(plain[i : i + RECEIPT_GROUP] for i in range(0, len(plain), RECEIPT_GROUP))
