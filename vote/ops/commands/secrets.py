"""`vote secrets`: make secrets, rotate the keys of sessions and tokens, show how old secrets are. Prints no value."""

import contextlib
import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import click

from vote import config, secret_ages
from vote.actions.checkpoints import Signer
from vote.errors import ConfigError
from vote.ops import environment, key_rotation
from vote.ops.backup.encryption import Identity
from vote.ops.key_rotation import RotationState, new_key
from vote.ops.secret_folder import SecretFolder
from vote.production_rules import SECRETS
from vote.secret_ages import SecretAge
from vote.secret_store import SecretStore, StoreError

RANDOM = ("FLASK_SECRET_KEY", "JWT_SECRET", "CHECKPOINT_KEY")
GENERATED = (*RANDOM, "BACKUP_IDENTITY")
MOUNTED_EMPTY = tuple(f"{key}_PREVIOUS" for key in key_rotation.KEYS)

folder_option = click.option(
    "--folder",
    type=click.Path(path_type=Path, file_okay=False),
    help="Use files in this folder instead of the manager of SECRETS_FROM.",
)
json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


@click.group()
def secrets() -> None:
    """Make, rotate and date secrets, in a folder of files or in the manager of SECRETS_FROM.

    Nothing prints a secret. docs/how-to/rotate-secrets.md has the steps.
    """


@secrets.command()
@folder_option
@click.option("--missing", is_flag=True, help="Make only those that are not there yet.")
@json_option
def generate(folder: Path | None, missing: bool, as_json: bool) -> None:
    """Make every secret that is random, and say which settings belong to them.

    Refuses to overwrite: when one of them is there, nothing is written.
    """
    with _store(folder) as store:
        seen = store.read(SECRETS)
        present = sorted(set(GENERATED) & seen.secrets.keys())
        if present and not missing:
            raise ConfigError(
                f"{', '.join(present)}: already there, nothing was written. `vote secrets rotate` changes the keys of"
                " sessions and tokens; --missing makes the others only."
            )
        made = {name: new_key() for name in RANDOM if name not in present}
        if "BACKUP_IDENTITY" not in present:
            made["BACKUP_IDENTITY"] = str(Identity.generate())
        # Present from the start, so that they can be mounted before there is a rotation.
        empty = {name: "" for name in MOUNTED_EMPTY if folder and name not in seen.secrets}
        store.write(made | empty, seen)
    belongs = _belonging(made)
    if folder:
        belongs |= {f"{name}_FILE": str(folder.absolute() / name) for name in sorted({*made, *present, *MOUNTED_EMPTY})}
    if as_json:
        click.echo(json.dumps({"made": sorted(made), "kept": present, "settings": belongs}))
        return
    click.echo(f"Made in {store.title}: {', '.join(made) or 'nothing'}.")
    click.echo("Settings that belong to them, none of them secret:")
    for name, value in belongs.items():
        click.echo(f"  {name}={value}")
    click.echo(
        "Passwords in URLs are set at their servers and are not made here. Keep a copy of BACKUP_IDENTITY elsewhere."
    )


@secrets.command()
@folder_option
@click.option("--restarted", is_flag=True, help="All web processes have been restarted since step 1: take step 2.")
@click.option("--at-once", is_flag=True, help="A key was stolen: replace both now. Everyone is logged out.")
@json_option
def rotate(folder: Path | None, restarted: bool, at_once: bool, as_json: bool) -> None:
    """Take the next step of changing FLASK_SECRET_KEY and JWT_SECRET. Nobody is logged out.

    Step 1 makes new keys acceptable. Restart all web processes, one after the other; then step 2 (--restarted) signs with
    them. Restart again. 25 hours later the same command removes the old keys. Repeating a call changes nothing.
    """
    now = datetime.now(UTC)
    with _store(folder) as store:
        seen = store.read(key_rotation.NAMES)
        if at_once:
            changes = key_rotation.replaced_at_once()
        else:
            changes = key_rotation.next_changes(seen.secrets, is_restarted=restarted, now=now)
        if changes:
            store.write(changes, seen)
        state = key_rotation.state_of(store.read(key_rotation.NAMES).secrets)
    text = _at_once_text() if at_once else _state_text(state, is_changed=bool(changes))
    if as_json:
        since = state.since.isoformat() if state.since else None
        click.echo(json.dumps({"stage": state.stage, "since": since, "changed": bool(changes), "next": text}))
        return
    click.echo(text)


@secrets.command()
@click.option("--max-days", type=click.IntRange(min=1), help="Exit with 1 when a secret is older.")
@json_option
def age(max_days: int | None, as_json: bool) -> None:
    """Show where each secret in use comes from, and how many days ago it was set.

    Reads what the manager of SECRETS_FROM and files have now. Nobody knows the age of a plain environment variable.
    """
    environ = environment.read_with_notes()
    missing = environment.missing_logins(environ)
    settings = config.load(environ | {name: new_key() for name in missing})
    rows = [row for row in secret_ages.ages_of(settings, datetime.now(UTC)) if row.name not in missing]
    old = [row.name for row in rows if max_days and row.days is not None and row.days > max_days]
    if as_json:
        click.echo(json.dumps({"secrets": [_as_json(row) for row in rows], "old": old}))
    else:
        for row in rows:
            click.echo(_line(row))
    if old:
        click.echo(f"Older than {max_days} days: {', '.join(old)}. See docs/how-to/rotate-secrets.md.", err=True)
        raise SystemExit(1)


@contextlib.contextmanager
def _store(folder: Path | None) -> Iterator[SecretStore]:
    """Yield where to read and write. Raises ConfigError when it cannot be used."""
    try:
        if folder is not None:
            chosen = SecretFolder(folder)
            with chosen.locked():
                yield chosen
            return
        manager = config.secret_manager(config.read_environ())
        if manager is None:
            raise click.UsageError("say where: --folder PATH, or set SECRETS_FROM to a secret manager")
        yield manager
    except StoreError as error:
        raise ConfigError(f"{error}.") from None


def _belonging(made: dict[str, str]) -> dict[str, str]:
    """Return the public halves of keys."""
    found = {}
    if "CHECKPOINT_KEY" in made:
        found["CHECKPOINT_PUBLIC_KEY"] = Signer(made["CHECKPOINT_KEY"]).public
    if "BACKUP_IDENTITY" in made:
        found["BACKUP_RECIPIENT"] = str(Identity.from_str(made["BACKUP_IDENTITY"]).to_public())
    return found


def _at_once_text() -> str:
    return "Both keys were replaced. Restart all web processes now: until then the stolen ones still count."


def _state_text(state: RotationState, *, is_changed: bool) -> str:
    since = f"{state.since:%Y-%m-%d %H:%M %Z}" if state.since else ""
    if state.stage == "accepting":
        return (
            f"Step 1 of 2 was taken on {since}: processes that have started since accept the new keys too. Restart all web"
            " processes, one after the other, then run: vote secrets rotate --restarted"
        )
    if state.stage == "signing":
        return (
            f"Step 2 of 2 was taken on {since}: processes that have started since sign with the new keys. Restart all web"
            f" processes again, within the hour. After {state.removable_at:%Y-%m-%d %H:%M %Z}, remove the old keys with:"
            " vote secrets rotate"
        )
    return "The old keys are removed; processes forget them at their next restart." if is_changed else "Nothing to do."


def _as_json(row: SecretAge) -> dict[str, object]:
    changed_at = row.origin.changed_at
    return {
        "name": row.name,
        "source": row.origin.source,
        "version": row.origin.version or None,
        "changed_at": changed_at.isoformat() if changed_at else None,
        "days": None if row.days is None else round(row.days, 2),
    }


def _line(row: SecretAge) -> str:
    version = f", version {row.origin.version}" if row.origin.version else ""
    age = "age unknown" if row.days is None else f"{row.days:.0f} days"
    return f"{row.name:<26} {age:<12} {row.origin.source}{version}"
