"""`vote restore` and `vote replay`: arguments, locks and words. The work is done in `vote.ops.backup` and `vote.worker`."""

import contextlib
import json
from datetime import UTC, datetime
from pathlib import Path

import click

from vote import config
from vote.config import Settings
from vote.db import positions
from vote.errors import ConfigError
from vote.ops import environment
from vote.ops.account import server_account
from vote.ops.backup.restore import Restored, choose
from vote.ops.backup.restore import restore as put_back
from vote.ops.embedded.home import locked, make_room, prepare
from vote.worker.worker import Worker

as_json_option = click.option("--json", "as_json", is_flag=True, help="Answer as JSON.")


@click.command()
@click.option("--label", help="The backup; default: the newest, or the newest before --to-time.")
@click.option("--to-time", help="Restore to this time (ISO 8601; UTC unless it says otherwise) and not to the end.")
@click.option(
    "--timeline", type=int, help="Follow this timeline, not the newest: for what an earlier restore abandoned."
)
@click.option("--into", type=click.Path(path_type=Path), help="Make a data folder there, for a server that others run.")
@click.option("--accept-loss", is_flag=True, help="Restore to a time also when the log may lack votes from after it.")
@as_json_option
def restore(
    label: str | None, to_time: str | None, timeline: int | None, into: Path | None, accept_loss: bool, as_json: bool
) -> None:
    """Bring the database back from a backup and the streamed WAL: to the end, or to a time.

    Stop `vote up` first. Nothing is changed unless key, backup and WAL are whole; the present data is set aside, never
    deleted. Afterwards start `vote up`: its worker goes on in the ballot log where the restored database stands.
    """
    settings, until = config.load(environment.read_with_notes()), _time(to_time)
    manifest = choose(settings, label, until)
    with contextlib.ExitStack() as held:
        if into is None:
            home = prepare(settings.vote_home)
            held.enter_context(locked(home.path))
            room = make_room(home, server_account())
            held.enter_context(locked(room.data))
            data, account = room.data / "postgres", room.account
        else:
            data, account = into.absolute(), server_account()
            if data.exists():
                raise ConfigError(f"{data} exists: name a folder that does not.")
        say = (lambda _line: None) if as_json else click.echo
        done = put_back(
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
    _tell(done, until, as_json=as_json)


@click.command()
@as_json_option
def replay(as_json: bool) -> None:
    """Record everything the ballot log holds, once, and say how many ballots that were: for use while no worker runs."""
    counts = _replay(config.load(environment.read_with_notes()))
    if as_json:
        click.echo(json.dumps({"recorded": sum(counts.values()), "shards": counts}))
        return
    for shard, count in counts.items():
        click.echo(f"shard {shard}: {count} ballots recorded")
    click.echo(f"{sum(counts.values())} ballots recorded; the log is drained.")


def _replay(settings: Settings) -> dict[int, int]:
    worker = Worker.from_settings(settings)
    try:
        worker.prepare()
        with worker.db.read() as tx:
            before = {shard: one.recorded for shard, one in positions.all_positions(tx).items()}
        while not _is_drained(worker):
            worker.step()
        with worker.db.read() as tx:
            after = positions.all_positions(tx)
        return {shard: one.recorded - before.get(shard, 0) for shard, one in after.items()}
    finally:
        worker.close()


def _is_drained(worker: Worker) -> bool:
    shards = worker.log.describe_all()
    with worker.db.read() as tx:
        at = positions.all_positions(tx)
    return all(one.ready and (one.epoch, one.last) == (at[one.number].epoch, at[one.number].position) for one in shards)


def _time(text: str | None) -> datetime | None:
    if text is None:
        return None
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise click.BadParameter("write it as 2026-11-24T20:15:00Z", param_hint="--to-time") from None
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def _tell(done: Restored, until: datetime | None, *, as_json: bool) -> None:
    aside = str(done.aside) if done.aside else None
    if as_json:
        click.echo(
            json.dumps(
                {"label": done.manifest.label, "wal_files": done.wal.files, "data": str(done.data), "aside": aside}
            )
        )
        return
    click.echo(
        f"Restored backup {done.manifest.label} and its WAL {f'to {until}' if until else 'to the end'}: {done.data}"
    )
    if aside:
        click.echo(f"The data before it is kept in {aside}.")
    click.echo("Start `vote up`: the worker records what the ballot log holds beyond it.")
