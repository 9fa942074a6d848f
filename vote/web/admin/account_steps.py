"""What an admin can do to somebody's account, in plain words: used by the people's pages and by the admin API alike."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from vote.actions import account_administration as actions
from vote.actions import logins
from vote.db import account_search
from vote.db.account_search import PersonRow
from vote.db.idempotency_keys import Claim
from vote.domain import policy
from vote.errors import NO_SUCH_ACCOUNT, NotFound
from vote.services.container import Services
from vote.web import tokens


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountStep:
    """One step. `button` is what the button says; `will` what happens then, one sentence each."""

    name: str
    button: str
    title: str
    will: Sequence[str]
    done: str
    fits: Callable[[PersonRow], bool]
    take: Callable[[Services, int, int, Claim | None], PersonRow]  # of whom, by whom, and for which press
    is_grave: bool = False
    is_repeatable: bool = False  # makes sense again right after it was taken
    is_for_others: bool = False  # refused on oneself, by the action as well

    def check(self, user_id: int, by: int) -> None:
        """Raises Conflict when somebody may not take this step on this account: before they are asked to be sure."""
        if self.is_for_others:
            policy.check_not_oneself(user_id, by)

    def is_still_done(self, person: PersonRow) -> bool:
        """Whether what the step does is still so."""
        return self.is_repeatable or not self.fits(person)


def _disable(services: Services, user_id: int, by: int, once: Claim | None = None) -> PersonRow:
    person = actions.disable(services.db, user_id, by=by, once=once)
    tokens.know_ended(services, user_id)
    return person


def _enable(services: Services, user_id: int, by: int, once: Claim | None = None) -> PersonRow:
    return actions.enable(services.db, user_id, by=by, once=once)


def _log_out(services: Services, user_id: int, by: int, once: Claim | None = None) -> PersonRow:
    person = actions.log_out(services.db, user_id, by=by, once=once)
    tokens.know_ended(services, user_id)
    return person


def _unlock(services: Services, user_id: int, by: int, once: Claim | None = None) -> PersonRow:
    logins.unlock(services.db, services.login_throttle, user_id, by=by, once=once)
    with services.db.read() as tx:
        person = account_search.find(tx, user_id)
    if person is None:
        raise NotFound(NO_SUCH_ACCOUNT)
    return person


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
            take=_disable,
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
            will=(
                ENDS_SESSIONS,
                "They can log in again with their password straight away.",
            ),
            done="The account is logged out everywhere.",
            fits=lambda person: person.disabled_at is None,
            take=_log_out,
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
    """The steps that make sense now."""
    return [step for step in STEPS.values() if step.fits(person)]
