"""`vote verify`: recompute the stored records and name every row that is not as it was recorded."""

import json
import sys
import time

import click

from vote.actions.checkpoints import Signer, Verifier
from vote.config import Settings
from vote.db import integrity
from vote.db.pool import Database
from vote.errors import ConfigError
from vote.ops import environment
from vote.ops.integrity import chains, journal, results
from vote.ops.integrity.findings import Findings, OnProgress

NAME = "vote verify"
BAR_AFTER_S = 2.0
BAR_EVERY = 2_000  # rows
NAMES = {"ballots": "ballots", "audit": "rows of the audit log", "checkpoints": "checkpoints", "votes": "votes"}


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.option("--public-key", is_flag=True, help="Print the checkpoints' public key and exit.")
def verify(as_json: bool, public_key: bool) -> None:
    """Verify journal, votes, tallies, audit log and checkpoints.

    Reads one snapshot of the database with the login of DATABASE_URL_BACKUP, which can read everything and change nothing.
    Signatures are checked with CHECKPOINT_PUBLIC_KEY; no secret is needed. Exit code 1 if anything is wrong.
    """
    settings = environment.settings_of_reader()
    keys = settings.checkpoint_public_key or _own_key(settings)
    if public_key:
        if not keys:
            raise ConfigError("There is no key. Set CHECKPOINT_KEY or CHECKPOINT_PUBLIC_KEY.")
        click.echo(keys[0])
        return
    findings, sizes = _verify(settings, Verifier(keys) if keys else None)
    _answer(findings, sizes, are_signatures_checked=bool(keys), as_json=as_json)
    sys.exit(1 if findings.count else 0)


def _own_key(settings: Settings) -> tuple[str, ...]:
    return () if settings.checkpoint_key is None else (Signer(settings.checkpoint_key).public,)


def _verify(settings: Settings, verifier: Verifier | None) -> tuple[Findings, dict[str, int]]:
    findings = Findings()
    db = Database(settings.database("backup"), size=1, name=NAME)
    try:
        with integrity.snapshot(db) as tx:
            sizes = integrity.sizes(tx)
            progress = _bar(sizes["ballots"] + sizes["audit"] + sizes["checkpoints"])
            journal.check(tx, findings, progress)
            chains.check_audit(tx, findings, progress)
            chains.check_checkpoints(tx, verifier, findings, progress)
            results.check(tx, findings)
    finally:
        db.close()
    return findings, sizes


def _bar(total: int) -> OnProgress:
    """Return a progress callback: a bar on a terminal, once it takes longer than two seconds."""
    bar = click.progressbar(length=total, label="Verifying", file=sys.stderr)
    shown_from, done = time.monotonic() + BAR_AFTER_S, 0

    def progress(rows: int) -> None:
        nonlocal done
        done += rows
        is_due = done >= BAR_EVERY or bar.pos + done >= total
        if is_due and sys.stderr.isatty() and time.monotonic() >= shown_from:
            bar.update(done)
            done = 0
            if bar.finished:
                bar.render_finish()

    return progress


def _answer(findings: Findings, sizes: dict[str, int], *, are_signatures_checked: bool, as_json: bool) -> None:
    if as_json:
        result = {
            "ok": findings.count == 0,
            "checked": sizes,
            "signatures_checked": are_signatures_checked,
            "findings": [finding._asdict() for finding in findings.kept],
            "findings_in_all": findings.count,
        }
        click.echo(json.dumps(result))
        return
    for finding in findings.kept:
        click.echo(f"{finding.book}: {finding.row}: {finding.problem}")
    if findings.count > len(findings.kept):
        click.echo(f"… and {findings.count - len(findings.kept):,} more")
    if not are_signatures_checked:
        click.echo("Signatures were not checked. Set CHECKPOINT_PUBLIC_KEY to check them.", err=True)
    summary = ", ".join(f"{count:,} {NAMES[name]}" for name, count in sizes.items())
    click.echo(f"Checked {summary}: " + (f"{findings.count:,} findings." if findings.count else "nothing is wrong."))
