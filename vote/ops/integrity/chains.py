"""The audit log's chain, and the signed checkpoints of all chains."""

from hashlib import sha256

from vote.actions.checkpoints import Verifier
from vote.db import integrity
from vote.db.integrity import Covered
from vote.db.pool import Tx
from vote.domain.chain import BEGINNING
from vote.ops.integrity.findings import Findings, OnProgress

UNSIGNED_MINUTES = 60  # a worker signs every minute; longer means that checkpoints are missing


def check_audit(tx: Tx, findings: Findings, progress: OnProgress) -> None:
    """Each row follows from the one before it. A row whose text was changed breaks at itself, a removed one at the next."""
    before, chain = 0, BEGINNING
    for row in integrity.audit_log(tx):
        if sha256(chain + row.content.encode("utf-8")).digest() != row.chain:
            findings.add(
                "audit log",
                f"id {row.id}",
                f"does not follow from {f'id {before}' if before else 'the beginning'}:"
                " it was changed or inserted, or what came between was removed or put elsewhere",
            )
        before, chain = row.id, row.chain
        progress(1)


def check_checkpoints(tx: Tx, verifier: Verifier | None, findings: Findings, progress: OnProgress) -> None:
    """Each checkpoint is signed, and the chain is still what was signed. Without a verifier signatures are not looked at."""
    good: dict[str, int] = {}
    for covered in integrity.checkpoints(tx):
        head = covered.checkpoint.head
        problem = verifier.problem(covered.checkpoint) if verifier else None
        if problem is None:
            problem = _of_chain(covered, good.get(head.subject, 0))
            good[head.subject] = head.seq if problem is None else good.get(head.subject, 0)
        if problem is not None:
            findings.add("checkpoints", f"{head.subject}, seq {head.seq}", problem)
        progress(1)
    if verifier is None:
        return
    for subject, seq in integrity.uncovered(tx, minutes=UNSIGNED_MINUTES):
        findings.add(
            "checkpoints",
            f"{subject}, seq {seq}",
            "and what follows is under no checkpoint, though it is old enough: the worker does not sign, or checkpoints"
            " were removed",
        )


def _of_chain(covered: Covered, good: int) -> str | None:
    head = covered.checkpoint.head
    if covered.chain is None:
        return "was signed, and this row is gone: the end of the chain was cut off, or the row removed"
    if covered.chain == head.chain:
        return None
    row = f" (ballot {covered.ballot})" if covered.ballot else ""
    return (
        f"was signed with another chain value than the row{row} has now: a row after {good} was changed, and the chain"
        " made anew"
    )
