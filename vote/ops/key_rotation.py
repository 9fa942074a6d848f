"""The rotation of FLASK_SECRET_KEY and JWT_SECRET in two steps (docs/adr/0021), as changes to what a store has.

1. The new keys become `…_PREVIOUS`: a process that starts from now on accepts them, and signs with the old ones.
2. Once every web process has been restarted, new and old change places. No process signs with a key that another refuses.
3. Once nothing lives that the old keys signed, they are removed.

SECRETS_ROTATION in the store says which step was taken and when; so the command can be repeated after any interruption.
"""

import secrets
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Literal, NamedTuple

from vote import secret_strength
from vote.errors import Conflict
from vote.secret_store import Secret

KEYS = ("FLASK_SECRET_KEY", "JWT_SECRET")
MARKER = "SECRETS_ROTATION"
NAMES = (*KEYS, *(f"{key}_PREVIOUS" for key in KEYS), MARKER)
OLD_KEYS_LIVE = timedelta(
    hours=25
)  # sessions and tokens live for 24 hours, and a rolling restart takes an hour at most
KEY_BYTES = 32

Stage = Literal["idle", "accepting", "signing"]


class RotationState(NamedTuple):
    """The step that was taken last, and when."""

    stage: Stage
    since: datetime | None

    @property
    def removable_at(self) -> datetime | None:
        """Return when the old keys may go; None before step 2."""
        return self.since + OLD_KEYS_LIVE if self.stage == "signing" and self.since else None


def state_of(stored: Mapping[str, Secret]) -> RotationState:
    """Return where a rotation stands. Raises Conflict when the store has been changed in a way that no step does."""
    if MARKER not in stored:
        return RotationState("idle", None)
    stage, _, since = stored[MARKER].value.partition(" ")
    has_all = all(key in stored and f"{key}_PREVIOUS" in stored for key in KEYS)
    try:
        began = datetime.fromisoformat(since)
    except ValueError:
        began = None
    if stage not in ("accepting", "signing") or began is None or not has_all:
        raise Conflict(
            f"{MARKER} and the keys do not fit together: they were changed by hand. Restore them, or remove {MARKER} and"
            " begin again."
        )
    return RotationState("accepting" if stage == "accepting" else "signing", began)


def next_changes(stored: Mapping[str, Secret], *, is_restarted: bool, now: datetime) -> dict[str, str]:
    """Return what the next step changes; nothing while it has to wait. Raises Conflict when there is nothing to rotate."""
    state = state_of(stored)
    if state.stage == "idle":
        if is_restarted:
            raise Conflict("No rotation is under way. Leave out --restarted to begin one.")
        _check_may_begin(stored, now)
        return {f"{key}_PREVIOUS": new_key() for key in KEYS} | {MARKER: f"accepting {now.isoformat()}"}
    if state.stage == "accepting":
        return _swapped(stored, now) if is_restarted else {}
    if state.removable_at is not None and now >= state.removable_at:
        return {f"{key}_PREVIOUS": "" for key in KEYS} | {MARKER: ""}
    return {}


def replaced_at_once() -> dict[str, str]:
    """Return new keys and no old ones: everyone has to log in again, and so has whoever stole the old ones."""
    return {key: new_key() for key in KEYS} | {f"{key}_PREVIOUS": "" for key in KEYS} | {MARKER: ""}


def new_key() -> str:
    """Return a random key that production accepts: one in a million spells a placeholder's word."""
    while secret_strength.weakness(key := secrets.token_urlsafe(KEY_BYTES)):
        pass
    return key


def _check_may_begin(stored: Mapping[str, Secret], now: datetime) -> None:
    if missing := [key for key in KEYS if key not in stored]:
        raise Conflict(f"{', '.join(missing)}: not there. Make them with: vote secrets generate")
    for key in KEYS:
        changed_at = stored[key].changed_at
        if f"{key}_PREVIOUS" in stored and changed_at is not None and now < changed_at + OLD_KEYS_LIVE:
            raise Conflict(
                f"{key}_PREVIOUS is still needed: {key} was changed on {changed_at:%Y-%m-%d at %H:%M %Z}, and what the key"
                f" before it signed is valid until {changed_at + OLD_KEYS_LIVE:%Y-%m-%d %H:%M %Z}. Wait until then."
            )


def _swapped(stored: Mapping[str, Secret], now: datetime) -> dict[str, str]:
    swapped = {key: stored[f"{key}_PREVIOUS"].value for key in KEYS}
    swapped |= {f"{key}_PREVIOUS": stored[key].value for key in KEYS}
    return swapped | {MARKER: f"signing {now.isoformat()}"}
