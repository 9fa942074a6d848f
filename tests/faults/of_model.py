"""The twenty faults of the protocol's executable model, and those here that plant the same in the real code.

Each of the model's breaks a promise there; `tests/unit/test_fault_tables.py` sees that none is missing here.
"""

MODEL_FAULTS: dict[str, tuple[str, ...]] = {
    "append before ack": ("acknowledged before the append",),
    "keyed receipt": ("another receipt for each press",),
    "stored ballot first": ("the closing is looked at before the stored ballot", "no dedupe in the function"),
    "deadline": ("no deadline in the function", "503 is told before the deadline has passed"),
    "one transaction": ("the position is written outside the transaction",),
    "row lock": ("the shard's row is read without a lock",),
    "count inserted": (
        "ballots that the journal had are counted again",
        "the tally is counted per batch, not per inserted row",
    ),
    "epoch": ("a new epoch is read from the old position", "no gap row"),
    "cold": ("a shard is never cold",),
    "instance": ("a restarted server is taken for the one before",),
    "drained first": ("a shard is made ready before it is drained",),
    "voters pushed": ("voters are not pushed to a new epoch",),
    "compare last": ("the last entry is not compared",),
    "promotion": ("a promoted replica goes on as if nothing was lost",),
    "version grows": ("any version is pushed over any other", "the marker of an earlier closing counts"),
    "push names epoch": ("a push does not name its epoch",),
    "marker": ("final without the markers",),
    "gap blocks final": ("final over a gap",),
    "trim below backup": ("trimmed above what is recorded", "trimmed to an unverified backup"),
    "erase in both": ("an erasure is not written to the log",),
}
