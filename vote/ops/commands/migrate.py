"""`vote migrate`: bring the database to the schema that this version needs."""

import json

import click

from vote import config
from vote.db.migrate import newest, upgrade
from vote.ops import environment


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def migrate(as_json: bool) -> None:
    """Apply missing migrations, as the owner (DATABASE_URL). Repeating it changes nothing, nor does an older version."""
    before, after = upgrade(config.load(environment.read_with_notes()).database("owner").url)
    if as_json:
        click.echo(json.dumps({"before": before, "after": after}))
    elif after > newest():
        click.echo(f"The database is at {after}, from a newer version; this one needs {newest()}. Nothing to do.")
    elif before == after:
        click.echo(f"The database is at {after}; nothing to do.")
    else:
        click.echo(f"The database went from {before or 'nothing'} to {after}.")
