"""Verify the audit log's hash chain, and the signed checkpoints of all chains."""

from hashlib import sha256

from vote.actions.checkpoints import Verifier
from vote.db import integrity
from vote.db.integrity import Covered
from vote.db.pool import Tx
from vote.domain.chain import BEGINNING
from vote.ops.integrity.findings import Findings, OnProgress

UNSIGNED_MINUTES = 60  # a worker signs every minute; rows unsigned for longer lack checkpoints


def check_audit(tx: Tx, findings: Findings, progress: OnProgress) -> None:
    """Check that each row follows from the previous one. A changed row fails at itself, a removed one at its successor."""
    before, chain = 0, BEGINNING
    for row in integrity.audit_log(tx):
        if sha256(chain + row.content.encode("utf-8")).digest() != row.chain:
            findings.add(
                "audit log",
                f"id {row.id}",
                f"does not follow from {f'id {before}' if before else 'the beginning'}:"
                " it was changed or inserted, or rows in between were removed or moved",
            )
        before, chain = row.id, row.chain
        progress(1)


def check_checkpoints(tx: Tx, verifier: Verifier | None, findings: Findings, progress: OnProgress) -> None:
    """Check each checkpoint's signature, and that its chain is unchanged. Without a verifier, signatures are not checked."""
    last_good: dict[str, int] = {}
    for covered in integrity.checkpoints(tx):
        head = covered.checkpoint.head
        problem = verifier.problem(covered.checkpoint) if verifier else None
        if problem is None:
            problem = _chain_problem(covered, last_good.get(head.subject, 0))
            last_good[head.subject] = head.seq if problem is None else last_good.get(head.subject, 0)
        if problem is not None:
            findings.add("checkpoints", f"{head.subject}, seq {head.seq}", problem)
        progress(1)
    if verifier is None:
        return
    for subject, seq in integrity.uncovered(tx, minutes=UNSIGNED_MINUTES):
        findings.add(
            "checkpoints",
            f"{subject}, seq {seq}",
            "and the rows after it have no checkpoint, though they are old enough: the worker does not sign, or checkpoints"
            " were removed",
        )


def _chain_problem(covered: Covered, last_good: int) -> str | None:
    head = covered.checkpoint.head
    if covered.chain is None:
        return "was signed, but this row is gone: the end of the chain was cut off, or the row was removed"
    if covered.chain == head.chain:
        return None
    row = f" (ballot {covered.ballot})" if covered.ballot else ""
    return (
        f"was signed with another chain value than the row{row} has now: a row after {last_good} was changed and the chain"
        " recomputed"
    )
