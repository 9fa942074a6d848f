"""The receipt: its format, how it is computed, and how a typed one is read."""

import re

from vote.mac import mac

FORMAT = re.compile(r"(?:[A-Z2-7]{4}-){3}[A-Z2-7]{4}")
RECEIPT_BYTES = 10  # 80 bits: 16 characters to read aloud; a guess hits one of 10^7 receipts with probability 10^-17
RECEIPT_GROUP = 4
_BASE32 = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"  # RFC 4648 §6
# Two characters at a time: base64.b32encode would take as long as the hash itself, and every vote waits for both.
_PAIRS = [first + second for first in _BASE32 for second in _BASE32]


def receipt_code(key: bytes, voter: int) -> str:
    """Return the voter's receipt in the competition with this key: the same on every retry, without a lookup (R1).

    A keyed hash (RFC 2104), so it neither shows the choice nor can be computed without the key.
    """
    assert key, "a copy from the cache has no key: anyone could compute a receipt without one"
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
