"""The second press of a form, and the press after a lost answer, get the answer of the first.

The gate looks up each form's key, once CSRF is checked; a view claims it with `claim(…)` and hands the claim to its verb.
An answer that is no success is given only when the key is still nobody's, for the first press may have made the change
meanwhile. Where it logged somebody in, the second is given the same session, in the same browser only.
"""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, TypeVar, cast

from flask import Flask, Response, current_app, g, redirect, request, session
from werkzeug.wrappers import Response as AnyResponse

from vote.db import idempotency_keys as stored
from vote.db import users
from vote.db.idempotency_keys import Claim, StoredAnswer
from vote.errors import AlreadyAnswered, ForgedForm, Unavailable
from vote.identity import csrf, devices, idempotency_keys
from vote.web import request_context
from vote.web.safe_redirect import local_path

View = TypeVar("View", bound=Callable[..., Any])

LOG_IN = frozenset({"accounts.register", "accounts.login"})
LOG_IN_AGAIN = frozenset({"account.change_password"})
LOG_OUT = frozenset({"accounts.logout", "account.logout_everywhere", "account.delete"})


_ATTRIBUTE = "answers_again_with"


def answers_again(answer: Callable[[], AnyResponse]) -> Callable[[View], View]:
    """Declare what the second press of a form gets whose first led nowhere: a page, made of the same form."""

    def declare(view: View) -> View:
        setattr(view, _ATTRIBUTE, answer)
        return view

    return declare


def register(app: Flask) -> None:
    """Look once more before each answer, and give templates `idempotency_key()`."""
    app.after_request(_look_once_more)
    app.jinja_env.globals["idempotency_key"] = request_context.idempotency_key_for_form


def check(sid: str, *, may_change: bool) -> None:
    """Read the key of the form that was sent by the session `sid`. Raises AlreadyAnswered.

    A key of another browser's is ForgedForm; so is, without `may_change`, a form that is no second press.
    """
    given = _given()
    if given is not None:
        idempotency_keys.check(idempotency_keys.keys_of(request_context.services().settings), sid, given)
        _look_up(given)
    if not may_change:
        raise ForgedForm


def check_left() -> None:
    """Raises AlreadyAnswered for the second press of a form whose first has logged out: no cookie is left to be sent."""
    given = _given()
    if request.endpoint in LOG_OUT and given is not None:
        _look_up(given)


def _given() -> str | None:
    return request.form.get(idempotency_keys.FIELD) if request_context.wants_page() else None


def _look_up(given: str) -> None:
    typed = (field for field in request.form.items(multi=True) if field[0] != csrf.FIELD)
    g.key_hash = idempotency_keys.hash_of(request.path, given, typed)
    g.answer = _find(g.key_hash)
    if g.answer is not None:
        raise AlreadyAnswered


def claim(leads_to: str, *, about: int | None = None) -> Claim:
    """The claim of this press, for the verb that makes the change. `about` is `{id}` in `leads_to`, where it is known."""
    made = g.claim = Claim(g.get("key_hash"), leads_to, datetime.fromtimestamp(request_context.began(), UTC), about)
    return made


def names_given(claimed: Claim) -> tuple[str | None, str | None]:
    """The sid and the device's token that this press gives; None for a press without a key."""
    if claimed.key_hash is None:
        return None, None
    return _name("session", claimed.key_hash, claimed.began), _name("device", claimed.key_hash, claimed.began)


def answer_again() -> AnyResponse | None:
    """The answer of the first press; None when it is known no more."""
    answer: StoredAnswer | None = g.get("answer") or _find(g.key_hash)
    if answer is None:
        return None
    g.answer = answer
    in_place = getattr(current_app.view_functions[request.endpoint or ""], _ATTRIBUTE, None)
    if in_place is not None:
        return cast(AnyResponse, in_place())
    leads_to = answer.led_to
    if request.endpoint in LOG_IN:
        leads_to = local_path(request.form.get("next")) or leads_to  # not kept: it may name a choice
    response = redirect(leads_to, 303)
    if request.endpoint in LOG_OUT:
        request_context.log_out()
    elif request.endpoint in LOG_IN | LOG_IN_AGAIN:
        _log_in(answer, response)
    return response


def _find(key_hash: bytes) -> StoredAnswer | None:
    """The answer under a key. A log-in that has been ended since is no answer any more: the form counts as a new one."""
    services = request_context.services()
    answer = stored.find(services.db, key_hash)
    if answer is not None and request.endpoint in LOG_IN and _has_ended(answer, answer.began):
        stored.forget(services.db, key_hash)
        return None
    return answer


def _log_in(answer: StoredAnswer, response: AnyResponse) -> None:
    """The session that the first press began, unless it is here already, was ended, or another person's is."""
    sid, services = _name("session", g.key_hash, answer.began), request_context.services()
    is_first = request.endpoint in LOG_IN
    who = request_context.identity()
    if session.get("sid") == sid or (who is not None and who.user_id != answer.object_id):
        return
    with services.db.read() as tx:
        account = users.find(tx, answer.object_id or 0)
    if account is None or account.disabled_at is not None:
        return
    if _has_ended(answer, answer.began if is_first else answer.answered):
        return
    token = request_context.device() or (_name("device", g.key_hash, answer.began) if is_first else None)
    request_context.log_in(
        account, began=request_context.began() if is_first else request_context.now_by_database(), sid=sid, token=token
    )
    if token is not None:
        devices.set_cookie(response, token, services.settings)


def _has_ended(answer: StoredAnswer, since: datetime) -> bool:
    """Whether what the first press began was ended since: by a log-out there, or everything of the person."""
    subjects = [f"user:{answer.object_id}", f"sid:{_name('session', g.key_hash, answer.began)}"]
    with request_context.services().db.read() as tx:
        return users.is_revoked_since(tx, subjects, since)


def _name(purpose: str, key_hash: bytes, began: datetime) -> str:
    signing_key = idempotency_keys.keys_of(request_context.services().settings)[0]
    return idempotency_keys.derived(signing_key, purpose, key_hash, began)


def _look_once_more(response: Response) -> AnyResponse:
    """Whatever the first press changed is seen together with its answer: so a refusal for that reason is none."""
    claimed: Claim | None = g.get("claim")
    if g.get("key_hash") is None or g.get("answer") is not None or (claimed is not None and claimed.is_answered):
        return response
    try:
        return answer_again() or response
    except Unavailable:
        return response
