"""The `vote` command: arguments and exit codes only. `vote.ops.commands` has a module per command.

Exit codes: 0 success, 1 failure (the reason is on standard error), 2 wrong command line.
"""

import importlib
import sys

import click

from vote import logs
from vote.errors import InvalidInput, VoteError

# Commands are imported on use: `vote web` needs no Alembic and starts in half the time without it.
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
    "secrets": "vote.ops.commands.secrets",
    "log": "vote.ops.commands.log",
    "trace": "vote.ops.commands.trace",
}


class Commands(click.Group):
    """A command group that imports its commands on use (lazy loading)."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names of all commands in alphabetical order."""
        del ctx
        return sorted(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Return the command with this name, or None."""
        del ctx
        if cmd_name not in COMMANDS:
            return None
        command: click.Command = getattr(importlib.import_module(COMMANDS[cmd_name]), cmd_name)
        return command


@click.group(cls=Commands)
@click.version_option(package_name="vote-app")
def cli() -> None:
    """Online voting that an organiser can trust on the night it matters."""
    # Standard output is the command's answer, which a program may read. A part that serves then configures its own log.
    logs.configure_command()


def main() -> None:
    """Run the `vote` command; print expected errors without a traceback and exit with 1."""
    try:
        cli()
    except VoteError as error:
        click.echo(f"vote: {_error_text(error)}", err=True)
        sys.exit(1)


def _error_text(error: VoteError) -> str:
    if isinstance(error, InvalidInput):
        return "\n".join([error.detail, *(f"  {name}: {problem}" for name, problem in error.fields.items())])
    return str(error)
