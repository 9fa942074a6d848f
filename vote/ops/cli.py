"""The `vote` command: arguments and exit codes only. One file per command beside this one.

Exit codes: 0 done, 1 it could not be done (the reason is on standard error), 2 the command line is wrong.
"""

import importlib
import sys

import click

from vote.errors import InvalidInput, VoteError

# Where each command is. One is imported when it is asked for: `vote web` needs no Alembic, and starts in half the time.
COMMANDS = {
    "up": "vote.ops.commands.up",
    "web": "vote.ops.commands.web",
    "worker": "vote.ops.commands.worker",
    "migrate": "vote.ops.commands.migrate",
    "admin": "vote.ops.commands.admin",
    "backup": "vote.ops.commands.backup",
    "restore": "vote.ops.commands.restore",
    "replay": "vote.ops.commands.restore",
    "verify": "vote.ops.commands.verify",
    "load": "vote.ops.commands.load",
    "log": "vote.ops.commands.log",
}


class Commands(click.Group):
    """The commands by name."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Their names, in alphabetical order."""
        del ctx
        return sorted(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command; None when there is none of this name."""
        del ctx
        if cmd_name not in COMMANDS:
            return None
        command: click.Command = getattr(importlib.import_module(COMMANDS[cmd_name]), cmd_name)
        return command


@click.group(cls=Commands)
@click.version_option(package_name="vote-app")
def cli() -> None:
    """Online voting that an organiser can trust on the night it matters."""


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
    return str(error)
