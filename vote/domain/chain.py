"""Hash chains: an edited, removed or swapped row of the journal breaks the chain.

Each row has a digest of its content, and a chain value over the previous chain value and that digest. They are separate
so that retention can blank old rows and leave the chain whole.
"""

from collections.abc import Iterable, Iterator
from datetime import datetime
from hashlib import sha256
from typing import NamedTuple

from vote.domain.ballot import Ballot

BEGINNING = bytes(32)  # the chain before the first row


class ChainLink(NamedTuple):
    """A row's place in its chain."""

    seq: int
    digest: bytes
    chain: bytes


def ballot_digest(ballot: Ballot, *, shard: int, epoch: str, position: int, receipt: str) -> bytes:
    """Return the SHA-256 of everything a journal row says about its ballot."""
    text = "|".join(
        (
            ballot.id.hex,
            str(ballot.competition),
            str(ballot.voter),
            ballot.choice,
            str(milliseconds(ballot.cast_at)),
            str(shard),
            epoch,
            str(position),
            receipt,
        )
    )
    return sha256(text.encode("utf-8")).digest()


def links(after: int, chain: bytes, digests: Iterable[bytes]) -> Iterator[ChainLink]:
    """Yield the links of the rows that follow row `after`, whose chain value is `chain`."""
    for seq, digest in enumerate(digests, after + 1):
        chain = sha256(chain + digest).digest()
        yield ChainLink(seq, digest, chain)


def milliseconds(moment: datetime) -> int:
    """Return whole milliseconds since 1970, the log's resolution."""
    return round(moment.timestamp() * 1000)
