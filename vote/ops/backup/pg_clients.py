"""Find PostgreSQL's client programs in the server's major version, and pass them their connection.

A client of another version refuses, or makes what cannot be restored (a newer dump, an older manifest).
"""

import contextlib
from pathlib import Path

from psycopg.conninfo import conninfo_to_dict, make_conninfo

from vote import tcp_keepalive
from vote.errors import ConfigError
from vote.ops.account import server_account
from vote.ops.embedded import programs
from vote.ops.embedded.programs import server_environ

# Secrets of libpq, other than the password, that have no environment variable.
SECRET_FIELDS = {"sslpassword", "scram_client_key", "scram_server_key", "oauth_client_secret"}


def bin_of(major: int) -> Path:
    """Return the folder of the programs of this major version. Raises ConfigError when there is none."""
    with contextlib.suppress(ConfigError):
        embedded = programs.find("embedded", server_account())
        if embedded.postgres_major() == major:
            return embedded.postgres_bin
    system = programs.SYSTEM_POSTGRES / str(major) / "bin"
    if (system / "pg_basebackup").exists():
        return system
    raise ConfigError(
        f"The server is PostgreSQL {major}, but its programs are not installed. Run: apt-get install postgresql-{major}"
    )


def connection(url: str, application: str, **settings: str) -> tuple[str, dict[str, str]]:
    """Return (the value of `-d`, the environment). The password is never on a command line, where every user can read it.

    `settings` are server settings for this connection. Raises ConfigError for other secrets in the URL.
    """
    fields = conninfo_to_dict(url)
    if shown := SECRET_FIELDS & fields.keys():
        raise ConfigError(
            f"{', '.join(sorted(shown))} in DATABASE_URL_BACKUP would appear on a command line, where every user can read"
            " it. Use a password, or a key file without a passphrase that only its owner can read."
        )
    password = fields.pop("password", None)
    fields["application_name"] = application
    fields.setdefault("connect_timeout", "5")
    fields |= tcp_keepalive.for_postgres(url)
    if settings:
        own = [f"-c {name}={value}" for name, value in settings.items()]
        fields["options"] = " ".join([str(fields.get("options") or ""), *own]).strip()
    environ = server_environ() | ({"PGPASSWORD": str(password)} if password else {})
    return make_conninfo("", **fields), environ
