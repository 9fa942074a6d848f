"""A ballot: what a voter submits. Its shard and its receipt follow from who votes where, and from nothing else."""

from dataclasses import dataclass
from datetime import datetime
from hashlib import blake2b
from uuid import UUID

from vote.mac import mac

RECEIPT_BYTES = 10  # 80 bits: 16 characters to read aloud; a guess hits one of 10^7 receipts with chance 10^-17
RECEIPT_GROUP = 4
_BASE32 = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"  # RFC 4648 §6
# Two characters at a time: base64.b32encode takes as long as the hash itself, and every vote waits for both.
_PAIRS = [first + second for first in _BASE32 for second in _BASE32]


@dataclass(frozen=True, slots=True)
class Ballot:
    """One accepted ballot as it lies in the log. `id` is its own random id, the key of the journal (R4)."""

    id: UUID
    competition: int
    voter: int
    choice: str
    cast_at: datetime


def shard_of(competition: int, voter: int, shards: int) -> int:
    """The shard, 0 … shards-1, that holds every ballot of this voter in this competition: a stable hash.

    It must never change for a running log: a voter who moved to another shard would be a stranger there.
    """
    digest = blake2b(b"%d:%d" % (competition, voter), digest_size=8).digest()
    return int.from_bytes(digest, "big") % shards


def receipt_code(key: bytes, voter: int) -> str:
    """The voter's receipt in the competition with this key: the same on every retry, nothing to look up (R1).

    It is a keyed hash (RFC 2104), so it neither shows the choice nor can be computed without the key.
    """
    assert key, "a copy from the cache has no key: anybody could compute what comes of none"
    digest = mac(key, b"%d" % voter)
    one, two = int.from_bytes(digest[: RECEIPT_BYTES // 2]), int.from_bytes(digest[RECEIPT_BYTES // 2 : RECEIPT_BYTES])
    return (
        f"{_PAIRS[one >> 30]}{_PAIRS[one >> 20 & 1023]}-{_PAIRS[one >> 10 & 1023]}{_PAIRS[one & 1023]}-"
        f"{_PAIRS[two >> 30]}{_PAIRS[two >> 20 & 1023]}-{_PAIRS[two >> 10 & 1023]}{_PAIRS[two & 1023]}"
    )


def group_receipt(text: str) -> str:
    """`ABCD-EFGH-IJKL-MNOP` from what somebody typed: case, spaces and dashes do not count."""
    plain = "".join(text.split()).replace("-", "").upper()
    return "-".join(plain[i : i + RECEIPT_GROUP] for i in range(0, len(plain), RECEIPT_GROUP))
