"""`vote up`: run the whole stack on one machine, until Ctrl-C."""

import contextlib
import os
import signal
import socket
import sys
from pathlib import Path

import click

from vote import config
from vote.config import Settings
from vote.db import migrate
from vote.errors import ConfigError
from vote.ops import environment, first_start
from vote.ops.account import server_account
from vote.ops.backup import restore
from vote.ops.backup.encryption import kept_recipient
from vote.ops.backup.installed import allow_backups, prepare_server
from vote.ops.embedded import programs
from vote.ops.embedded.home import Home, ServerRoom, locked, make_room, prepare
from vote.ops.embedded.postgres import OWNER, Postgres
from vote.ops.embedded.programs import ServerSource
from vote.ops.embedded.valkey import Valkey
from vote.ops.process import ProcessSpec, die_with_parent
from vote.ops.supervisor import Supervisor

ROLES = ("vote_web", "vote_worker", "vote_reports", "vote_backup")
GRACE_S = 15  # longer than gunicorn's own deadline


@click.command()
@click.option(
    "--services",
    "server_source",
    type=click.Choice(["embedded", "system"]),
    default="embedded",
    show_default=True,
    help="Run PostgreSQL and Valkey from the Python environment, or PostgreSQL and Redis installed on the system.",
)
@click.option("--with-parent", is_flag=True, hidden=True, help="Stop, as on Ctrl-C, when the parent process dies.")
def up(server_source: ServerSource, with_parent: bool) -> None:
    """Start everything: servers, database schema, a first admin, a demo competition, worker and web.

    Running servers are used: with DATABASE_URL and REDIS_URL set, none is started. All data is in VOTE_HOME (./.vote).
    Ctrl-C stops everything and loses nothing.
    """
    if with_parent:  # `make run`: if make is killed, a copy left behind would lock the next one out
        die_with_parent(os.getppid(), signal.SIGINT)
    environ = config.read_environ()
    home = prepare(environment.home_path(environ))
    with contextlib.ExitStack() as locks:
        locks.enter_context(locked(home.path))
        created = first_start.missing_secrets(home, environ)
        if "BACKUP_RECIPIENT" not in environ:
            created["BACKUP_RECIPIENT"] = kept_recipient(home)
        settings = config.load(environ | created)
        created |= first_start.public_key(settings)
        _check_port(settings)
        room = None
        if settings.database_url is None or settings.redis_url is None:
            room = make_room(home, server_account())
            locks.enter_context(locked(room.data))  # a copied home may link to the same data
        with contextlib.suppress(KeyboardInterrupt), Supervisor(_warn) as supervisor:
            if room is not None:
                created |= _start_servers(supervisor, room, server_source, settings)
            else:
                migrate.upgrade(settings.database("owner").url)
            environment.note(home.path, created)
            # An external server has its own backups, unless BACKUP_FOLDER asks for ours.
            keeps_backups = settings.database_url is None or settings.backup_folder is not None
            _start_parts(supervisor, home, environ | created, keeps_backups=keeps_backups)
            supervisor.watch()


def _start_servers(
    supervisor: Supervisor, room: ServerRoom, server_source: ServerSource, settings: Settings
) -> dict[str, str]:
    """Start the servers that the settings lack, with the schema in place. Return their URLs as settings."""
    server_programs = programs.find(server_source, room.account)
    _say(f"Servers: {server_programs.versions()}")
    urls = {}
    if settings.redis_url is None:
        valkey = Valkey(room, server_programs)
        supervisor.start(valkey.part())
        urls["REDIS_URL"] = valkey.url
    if settings.database_url is not None:
        migrate.upgrade(settings.database_url)
        return urls
    postgres = Postgres(room, server_programs)
    restore.settle(postgres.data)
    supervisor.start(restore.refuse_empty_data_dir(postgres.part(), postgres.data, settings))
    prepare_server(postgres)
    postgres.provide()
    migrate.upgrade(postgres.url(OWNER))
    postgres.let_in(ROLES)  # the migrations created them
    allow_backups(postgres)
    own = {f"DATABASE_URL_{role.removeprefix('vote_').upper()}": postgres.url(role) for role in ROLES}
    return urls | own | {"DATABASE_URL": postgres.url(OWNER)}


def _start_parts(supervisor: Supervisor, home: Home, environ: dict[str, str], *, keeps_backups: bool) -> None:
    settings = config.load(environ)
    password_file = first_start.furnish(settings, home)
    if keeps_backups:
        # First, so that it stops last: commits wait for it (BACKUP_SYNC).
        backup = environ | _metrics_port(settings, 1)
        supervisor.start(_part("backup", backup, ["DATABASE_URL_BACKUP"], "keep"))
    supervisor.start(_part("worker", environ | _metrics_port(settings, 0), ["DATABASE_URL_WORKER"]))
    # Before the web starts, so that it has been printed when /ready answers.
    _welcome(settings, password_file)
    supervisor.start(_part("web", environ, ["DATABASE_URL_WEB", "DATABASE_URL_REPORTS"]))


def _part(name: str, environ: dict[str, str], databases: list[str], *arguments: str) -> ProcessSpec:
    command = [sys.executable, str(Path(sys.argv[0]).absolute()), name, *arguments]  # the running command itself
    own = environment.of_part(environ, databases, signs=name == "worker") | {"PYTHONUNBUFFERED": "1"}
    return ProcessSpec(name=name, command=command, environ=own, grace_s=GRACE_S)


def _metrics_port(settings: Settings, offset: int) -> dict[str, str]:
    """Return METRICS_PORT of one part: all of them listen on this machine."""
    return {} if settings.metrics_port is None else {"METRICS_PORT": str(settings.metrics_port + offset)}


def _check_port(settings: Settings) -> None:
    """Refuse an unusable address before anything is started, instead of letting the web fail repeatedly."""
    try:
        family, kind, _, _, address = socket.getaddrinfo(settings.host, settings.port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, kind) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
    except OSError as error:
        raise ConfigError(
            f"{settings.host}:{settings.port} cannot be used ({error.strerror}). Set another PORT or HOST."
        ) from error


def _welcome(settings: Settings, password_file: Path | None) -> None:
    url = settings.site_url
    _say(f"Voting: {url} (demo: {url}/vote/1)")
    if password_file is not None:
        _say(f"Admin: user {first_start.ADMIN}, temporary password in {password_file}; change it at {url}/account")
    _say("Press Ctrl-C to stop. Nothing is lost.")


def _say(line: str) -> None:
    click.echo(line)
    sys.stdout.flush()


def _warn(line: str) -> None:
    click.echo(line, err=True)
