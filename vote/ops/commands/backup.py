"""`vote backup`: arguments and words. What is done lives in `vote.ops.backup`."""

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
from vote.ops.backup import scheduler as keeping
from vote.ops.backup.create import create as make
from vote.ops.backup.folder import Folder
from vote.ops.backup.manifest import Manifest
from vote.ops.backup.retention import prune
from vote.ops.backup.verify import verify as prove

as_json_option = click.option("--json", "as_json", is_flag=True, help="Answer as JSON.")


@click.group()
def backup() -> None:
    """Make backups, prove them by a real restore, stream the WAL.

    Works on the database of DATABASE_URL_BACKUP (or DATABASE_URL), or on the running `vote up` of VOTE_HOME.
    """


@backup.command()
@as_json_option
def create(as_json: bool) -> None:
    """Make an encrypted backup now. Voting goes on meanwhile."""
    made = make(_settings(), quiet=as_json)
    held = backups.describe(made.facts)
    if as_json:
        click.echo(json.dumps({"label": made.label, "bytes": made.base_bytes, **held}))
        return
    click.echo(f"Backup {made.label}: {_words(held)}; {made.base_bytes / 1e6:.1f} MB, encrypted.")
    click.echo(f"Prove it with: vote backup verify {made.label}")


@backup.command("list")
@as_json_option
def show(as_json: bool) -> None:
    """Show the backups, newest first, and whether a real restore has proved them."""
    settings = _settings()
    folder, rows = Folder.from_settings(settings), _rows(settings)
    listed = [_listed(manifests.read_plain(folder.backup(label)), rows) for label in folder.labels()]
    if as_json:
        click.echo(json.dumps(listed))
        return
    for one in listed:
        click.echo(
            f"{one['label']}  {one['bytes'] / 1e6:8.1f} MB  {_words(one)}  {one['verdict'] or 'verdict not known'}"
        )
    if not listed:
        click.echo(f"There is no backup in {folder.path}.")
    click.echo(_proof(rows))


@backup.command()
@click.argument("label", required=False)
@as_json_option
def verify(label: str | None, as_json: bool) -> None:
    """Restore a backup (the newest) into a server that is thrown away, and compare every count and hash."""
    done = prove(_settings(), label, quiet=as_json)
    held = backups.describe(done.manifest.facts)
    if as_json:
        click.echo(json.dumps({"label": done.manifest.label, "seconds": round(done.seconds, 1), **held}))
        return
    click.echo(
        f"Backup {done.manifest.label} is whole: restored and compared in {done.seconds:.1f} s ({_words(held)})."
    )


@backup.command("prune")
def prune_() -> None:
    """Remove backups beyond BACKUP_KEEP, and the WAL only they needed."""
    gone = prune(_settings())
    click.echo(f"Removed: {', '.join(gone) or 'nothing'}.")


@backup.command()
def daily() -> None:
    """Make a backup, prove it, remove what is too many: one round of what `keep` does by itself."""
    made = make(_settings(), quiet=not sys.stderr.isatty())
    click.echo(f"Backup {made.label} made.")
    if keeping.may_verify(_settings()):
        prove(_settings(), made.label, quiet=not sys.stderr.isatty())
        click.echo(f"Backup {made.label} proved by a restore.")
    prune(_settings())


@backup.command()
def keep() -> None:
    """Stream the WAL and back up every BACKUP_EVERY_HOURS, until stopped. `vote up` runs it."""
    keeping.run(config.load())


def _settings() -> Settings:
    return config.load(environment.read_with_notes())


def _rows(settings: Settings) -> dict[str, Backup]:
    """What the database knows; nothing when it is down: one lists backups most urgently then."""
    try:
        with replication.connected(settings.database("backup"), name="vote backup list") as tx:
            return {one.label: one for one in backups.all_backups(tx)}
    except DatabaseUnavailable:
        return {}


def _proof(rows: dict[str, Backup]) -> str:
    proved = [one for one in rows.values() if one.verified_at]
    if not proved:
        return "No backup was verified by a restore yet." if rows else "Whether one was verified is not known."
    newest = max(proved, key=lambda one: one.started_at)
    last = max(one.verified_at for one in proved if one.verified_at)
    return f"Newest verified: {newest.label}. Last restored and compared: {last:%Y-%m-%d %H:%M:%S %Z}."


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


def _words(held: dict[str, Any]) -> str:
    return f"{held['votes']} votes, {held['accounts']} accounts, {held['competitions']} competitions"
