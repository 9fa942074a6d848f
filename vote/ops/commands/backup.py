"""`vote backup`: command line and output. The work is done in `vote.ops.backup`."""

import json
import sys
from typing import Any

import click

from vote import config
from vote.config import Settings
from vote.db import backups, replication
from vote.db.backups import Backup
from vote.errors import DatabaseUnavailable
from vote.ops import environment
from vote.ops.backup import manifest as manifests
from vote.ops.backup import scheduler
from vote.ops.backup.create import create as make
from vote.ops.backup.encryption import has_identity
from vote.ops.backup.folder import Folder
from vote.ops.backup.manifest import Manifest
from vote.ops.backup.retention import prune
from vote.ops.backup.verify import verify as prove

as_json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


@click.group()
def backup() -> None:
    """Make backups, prove them by a real restore, and stream the WAL.

    Uses the database of DATABASE_URL_BACKUP (or DATABASE_URL), or the running `vote up` of VOTE_HOME.
    """


@backup.command()
@as_json_option
def create(as_json: bool) -> None:
    """Make an encrypted backup now. Voting continues."""
    made = make(_settings(), quiet=as_json)
    held = backups.describe(made.facts)
    if as_json:
        click.echo(json.dumps({"label": made.label, "bytes": made.base_bytes, **held}))
        return
    click.echo(f"Backup {made.label}: {_content(held)}; {made.base_bytes / 1e6:.1f} MB, encrypted.")
    click.echo(f"Verify it with: vote backup verify {made.label}")


@backup.command("list")
@as_json_option
def show(as_json: bool) -> None:
    """List the backups, newest first, and whether a real restore has verified them."""
    settings = _settings()
    folder, rows = Folder.from_settings(settings), _rows(settings)
    listed = [_listed(manifests.read_plain(folder.backup(label)), rows) for label in folder.labels()]
    if as_json:
        click.echo(json.dumps(listed))
        return
    for entry in listed:
        click.echo(
            f"{entry['label']}  {entry['bytes'] / 1e6:8.1f} MB  {_content(entry)}  {entry['verdict'] or 'verdict unknown'}"
        )
    if not listed:
        click.echo(f"There are no backups in {folder.path}. Make one with: vote backup create")
    click.echo(_last_verification(rows))


@backup.command()
@click.argument("label", required=False)
@as_json_option
def verify(label: str | None, as_json: bool) -> None:
    """Restore a backup (default: the newest) into a temporary server, and compare every count and hash."""
    proved, seconds = prove(_settings(), label, quiet=as_json)
    held = backups.describe(proved.facts)
    if as_json:
        click.echo(json.dumps({"label": proved.label, "seconds": round(seconds, 1), **held}))
        return
    click.echo(f"Backup {proved.label} is intact: restored and compared in {seconds:.1f} s ({_content(held)}).")


@backup.command("prune")
def prune_() -> None:
    """Remove backups beyond BACKUP_KEEP, and the WAL that only they needed."""
    removed = prune(_settings())
    click.echo(f"Removed: {', '.join(removed) or 'nothing'}.")


@backup.command()
@as_json_option
def daily(as_json: bool) -> None:
    """Make a backup, verify it and remove surplus ones: one round of what `keep` does on schedule."""
    settings, quiet = _settings(), as_json or not sys.stderr.isatty()
    made, can_verify = make(settings, quiet=quiet), has_identity(settings)
    if not as_json:
        click.echo(f"Made backup {made.label}.")
    if can_verify:
        prove(settings, made.label, quiet=quiet)
        if not as_json:
            click.echo(f"Verified backup {made.label} by a restore.")
    removed = prune(settings)
    if as_json:
        click.echo(
            json.dumps(
                {"label": made.label, "bytes": made.base_bytes, "is_verified": can_verify, "removed": list(removed)}
            )
        )


@backup.command()
def keep() -> None:
    """Stream the WAL and back up every BACKUP_EVERY_HOURS, until stopped. `vote up` runs it."""
    scheduler.run(config.load())


def _settings() -> Settings:
    return config.load(environment.read_with_notes())


def _rows(settings: Settings) -> dict[str, Backup]:
    """Return the database's records of backups; none while it is down, which is when listing backups matters most."""
    try:
        with replication.connected(settings.database("backup"), name="vote backup list") as tx:
            return {row.label: row for row in backups.all_backups(tx)}
    except DatabaseUnavailable:
        return {}


def _last_verification(rows: dict[str, Backup]) -> str:
    verified = [row for row in rows.values() if row.verified_at]
    if not verified:
        return "No backup was verified by a restore yet." if rows else "Unknown whether a backup was verified."
    newest = max(verified, key=lambda row: row.started_at)
    last = max(row.verified_at for row in verified if row.verified_at)
    return f"Newest verified: {newest.label}. Last verification: {last:%Y-%m-%d %H:%M:%S %Z}."


def _listed(manifest: Manifest, rows: dict[str, Backup]) -> dict[str, Any]:
    row = rows.get(manifest.label)
    return {
        "label": manifest.label,
        "moment": manifest.moment_at.isoformat(),
        "bytes": manifest.base_bytes,
        "server": manifest.server_version,
        "installation": manifest.installation,
        "timeline": manifest.timeline,
        **backups.describe(manifest.facts),
        "verified_at": row.verified_at.isoformat() if row and row.verified_at else None,
        "verdict": row.verdict if row else None,
    }


def _content(held: dict[str, Any]) -> str:
    return f"{held['votes']} votes, {held['accounts']} accounts, {held['competitions']} competitions"
