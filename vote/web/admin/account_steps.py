"""Defines the steps that admins can take on an account, with their texts, for the admin pages and the admin API."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from vote.actions import account_administration as actions
from vote.actions import logins
from vote.db import account_search
from vote.db.account_search import PersonRow
from vote.db.idempotency_keys import Claim
from vote.domain import policy
from vote.services.container import Services
from vote.web import tokens

Take = Callable[[Services, int, int, Claim | None], PersonRow]  # account, actor, and the claim of the press


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountStep:
    """A step on an account. `button` is the button's text; `will` says what happens then, a sentence each."""

    name: str
    button: str
    title: str
    will: Sequence[str]
    done: str
    fits: Callable[[PersonRow], bool]
    take: Take
    is_grave: bool = False
    is_repeatable: bool = False  # can be repeated right away
    is_for_others: bool = False  # not on one's own account; the action refuses that too

    def check(self, user_id: int, by: int) -> None:
        """Raise Conflict if this person may not take the step on this account; call it before asking to confirm."""
        if self.is_for_others:
            policy.check_not_oneself(user_id, by)

    def is_still_done(self, person: PersonRow) -> bool:
        """Return whether the step's effect still holds."""
        return self.is_repeatable or not self.fits(person)


def _enable(services: Services, user_id: int, by: int, once: Claim | None) -> PersonRow:
    return actions.enable(services.db, user_id, by=by, once=once)


def _ending_logins(act: Callable[..., PersonRow]) -> Take:
    def take(services: Services, user_id: int, by: int, once: Claim | None) -> PersonRow:
        person = act(services.db, user_id, by=by, once=once)
        tokens.know_ended(services, user_id)
        return person

    return take


def _unlock(services: Services, user_id: int, by: int, once: Claim | None) -> PersonRow:
    logins.unlock(services.db, services.login_throttle, user_id, by=by, once=once)
    with services.db.read() as tx:
        return account_search.get(tx, user_id)


ENDS_SESSIONS = "All their sessions and API tokens end within a second, on every device."

STEPS = {
    step.name: step
    for step in (
        AccountStep(
            name="disable",
            button="Disable",
            title="Disable this account?",
            will=(
                ENDS_SESSIONS,
                "They cannot log in until an admin enables the account again.",
                "The votes they have cast still count.",
            ),
            done="The account is disabled and logged out everywhere.",
            fits=lambda person: person.disabled_at is None,
            take=_ending_logins(actions.disable),
            is_grave=True,
            is_for_others=True,
        ),
        AccountStep(
            name="enable",
            button="Enable again",
            title="Enable this account again?",
            will=("They can log in again with their password.", "Their old sessions and tokens stay revoked."),
            done="They can log in again.",
            fits=lambda person: person.disabled_at is not None,
            take=_enable,
        ),
        AccountStep(
            name="logout",
            button="Log out everywhere",
            title="Log this account out everywhere?",
            will=(ENDS_SESSIONS, "They can log in again with their password straight away."),
            done="The account is logged out everywhere.",
            fits=lambda person: person.disabled_at is None,
            take=_ending_logins(actions.log_out),
            is_repeatable=True,
        ),
        AccountStep(
            name="unlock",
            button="Unlock",
            title="Unlock this account?",
            will=(
                "Its count of wrong passwords is reset. People can try to log in from any network again.",
                "Whoever was guessing can continue, up to 100 times a day. The owner gets an email that you unlocked it.",
            ),
            done="The account is unlocked.",
            fits=lambda person: person.locked_until is not None,
            take=_unlock,
        ),
    )
}


def steps_of(person: PersonRow) -> list[AccountStep]:
    """Return the steps that make sense now."""
    return [step for step in STEPS.values() if step.fits(person)]
