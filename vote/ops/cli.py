"""The `vote` command: arguments and exit codes only. One file per command beside this one.

Exit codes: 0 done, 1 it could not be done (the reason is on standard error), 2 the command line is wrong.
"""

import sys

import click

from vote.errors import InvalidInput, VoteError
from vote.ops.admin import admin
from vote.ops.backup_cmd import backup
from vote.ops.load_cmd import load
from vote.ops.migrate import migrate
from vote.ops.restore import replay, restore
from vote.ops.up import up
from vote.ops.verify import verify
from vote.ops.web import web
from vote.ops.worker import worker


@click.group()
@click.version_option(package_name="vote-app")
def cli() -> None:
    """Online voting that an organiser can trust on the night it matters."""


for command in (up, web, worker, migrate, admin, backup, restore, replay, verify, load):
    cli.add_command(command)


def main() -> None:
    """The entry point of the `vote` command."""
    try:
        cli()
    except VoteError as error:
        click.echo(f"vote: {_sentences(error)}", err=True)
        sys.exit(1)


def _sentences(error: VoteError) -> str:
    if isinstance(error, InvalidInput):
        return "\n".join([error.detail, *(f"  {name}: {why}" for name, why in error.fields.items())])
    return error.detail
