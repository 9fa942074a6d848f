"""`vote restore` and `vote replay`: command line, locks and output. `vote.ops.backup` and `vote.worker` do the work."""

import contextlib
import json
from datetime import UTC, datetime
from pathlib import Path

import click

from vote import config
from vote.config import Settings
from vote.db import shard_positions
from vote.errors import ConfigError
from vote.ops import environment
from vote.ops.account import server_account
from vote.ops.backup.restore import choose
from vote.ops.backup.restore import restore as restore_backup
from vote.ops.embedded.home import locked, make_room, prepare
from vote.worker.worker import Worker

as_json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


@click.command()
@click.option("--label", help="The backup. Default: the newest, or the newest before --to-time.")
@click.option("--to-time", help="Restore to this time instead of the end (ISO 8601; default UTC).")
@click.option(
    "--timeline",
    type=int,
    help="Follow this timeline instead of the newest, to reach what an earlier restore abandoned.",
)
@click.option(
    "--into", type=click.Path(path_type=Path), help="Create the data folder here, for a server you run yourself."
)
@click.option("--accept-loss", is_flag=True, help="Restore to a time even if the ballot log may lack later votes.")
@as_json_option
def restore(
    label: str | None, to_time: str | None, timeline: int | None, into: Path | None, accept_loss: bool, as_json: bool
) -> None:
    """Restore the database from a backup and the streamed WAL: to the end, or to a time.

    Stop `vote up` first. Nothing changes unless key, backup and WAL are intact; the current data is set aside, never
    deleted. Then start `vote up`: its worker continues in the ballot log from the restored position.
    """
    settings, until = config.load(environment.read_with_notes()), _time(to_time)
    manifest = choose(settings, label, until)
    with contextlib.ExitStack() as locks:
        if into is None:
            home = prepare(settings.vote_home)
            locks.enter_context(locked(home.path))
            server_room = make_room(home, server_account())
            locks.enter_context(locked(server_room.data))
            data, account = server_room.data / "postgres", server_room.account
        else:
            data, account = into.absolute(), server_account()
            if data.exists():
                raise ConfigError(f"{data} already exists. Name a new folder.")
        say = (lambda _line: None) if as_json else click.echo
        wal_files, aside = restore_backup(
            settings,
            manifest,
            data,
            account,
            until=until,
            timeline=timeline,
            accept_loss=accept_loss,
            say=say,
            quiet=as_json,
        )
    if as_json:
        report = {
            "label": manifest.label,
            "wal_files": wal_files,
            "data": str(data),
            "aside": str(aside) if aside else None,
        }
        click.echo(json.dumps(report))
        return
    click.echo(f"Restored backup {manifest.label} and its WAL {f'to {until}' if until else 'to the end'} into {data}.")
    if aside:
        click.echo(f"The previous data is in {aside}. Delete it when you no longer need it.")
    click.echo("Start `vote up`. The worker records what the ballot log holds beyond this point.")


@click.command()
@as_json_option
def replay(as_json: bool) -> None:
    """Record everything that the ballot log holds, once, and print the number of ballots. Use it while no worker runs."""
    counts = _replay(config.load(environment.read_with_notes()))
    if as_json:
        click.echo(json.dumps({"recorded": sum(counts.values()), "shards": counts}))
        return
    for shard, count in counts.items():
        click.echo(f"Shard {shard}: {count} ballots recorded")
    click.echo(f"{sum(counts.values())} ballots recorded. The log is drained.")


def _replay(settings: Settings) -> dict[int, int]:
    worker = Worker.from_settings(settings)
    try:
        worker.prepare()
        with worker.db.read() as tx:
            before = {shard: position.recorded for shard, position in shard_positions.all_positions(tx).items()}
        while not _is_drained(worker):
            worker.step()
        with worker.db.read() as tx:
            after = shard_positions.all_positions(tx)
        return {shard: position.recorded - before.get(shard, 0) for shard, position in after.items()}
    finally:
        worker.close()


def _is_drained(worker: Worker) -> bool:
    shards = worker.log.describe_all()
    with worker.db.read() as tx:
        recorded = shard_positions.all_positions(tx)
    return all(
        shard.ready and (shard.epoch, shard.last) == (recorded[shard.number].epoch, recorded[shard.number].position)
        for shard in shards
    )


def _time(text: str | None) -> datetime | None:
    if text is None:
        return None
    try:
        time = datetime.fromisoformat(text)
    except ValueError:
        raise click.BadParameter("write it like 2026-11-24T20:15:00Z", param_hint="--to-time") from None
    return time if time.tzinfo else time.replace(tzinfo=UTC)
