"""A ballot: what a voter submits. Its shard depends only on voter and competition."""

from dataclasses import dataclass
from datetime import datetime
from hashlib import blake2b
from uuid import UUID


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
