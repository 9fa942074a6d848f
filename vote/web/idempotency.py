"""Gives a double submit, or a submit after a lost answer, the answer of the first.

The request guard looks up each form's key after the CSRF check; a view claims it with `claim(…)` and passes the claim
to its action. A refusal is sent only if the key is still unclaimed, because the first press may have made the change
meanwhile. If the first press logged someone in, the second gets the same session, in the same browser only.
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
    """Declare the answer to the second press of a form whose first press redirected nowhere: a page rendered from the
    same form.
    """

    def declare(view: View) -> View:
        setattr(view, _ATTRIBUTE, answer)
        return view

    return declare


def register(app: Flask) -> None:
    """Check the key once more before each answer, and give templates `idempotency_key()`."""
    app.after_request(_look_once_more)
    app.jinja_env.globals["idempotency_key"] = request_context.idempotency_key_for_form


def check(sid: str, *, may_change: bool) -> None:
    """Read the key of a form submitted in the session `sid`. Raises AlreadyAnswered.

    Another browser's key raises ForgedForm; so does, without `may_change`, a form that is not a second press.
    """
    given = _given()
    if given is not None:
        idempotency_keys.check(idempotency_keys.keys_of(request_context.services().settings), sid, given)
        _look_up(given)
    if not may_change:
        raise ForgedForm


def check_left() -> None:
    """Raise AlreadyAnswered for the second press of a form whose first press logged out, so that no cookie is left."""
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
    """Return the claim of this press, for the action that makes the change. `about` replaces `{id}` in `leads_to`,
    where it is known.
    """
    key_hash = g.get("key_hash")
    began = request_context.began() if key_hash else 0.0  # without a key nothing is stored
    made = g.claim = Claim(key_hash, leads_to, datetime.fromtimestamp(began, UTC), about)
    return made


def done(claimed: Claim, status: int = 204) -> AnyResponse:
    """Redirect a browser to the target of its press; tell an API client that it is done, or with 202 will be."""
    return redirect(claimed.address, 303) if request_context.wants_page() else Response(status=status)


def names_given(claimed: Claim) -> tuple[str | None, str | None]:
    """Return the sid and device token that this press assigns; None for a press without a key."""
    if claimed.key_hash is None:
        return None, None
    return _name("session", claimed.key_hash, claimed.began), _name("device", claimed.key_hash, claimed.began)


def answer_again() -> AnyResponse | None:
    """Return the answer of the first press; None if it is no longer known."""
    answer: StoredAnswer | None = g.get("answer") or _find(g.key_hash)
    if answer is None:
        return None
    g.answer = answer
    in_place = getattr(current_app.view_functions[request.endpoint or ""], _ATTRIBUTE, None)
    if in_place is not None:
        return cast(AnyResponse, in_place())
    leads_to = answer.led_to
    if request.endpoint in LOG_IN:
        leads_to = local_path(request.form.get("next")) or leads_to  # not stored: it may contain a choice
    response = redirect(leads_to, 303)
    if request.endpoint in LOG_OUT:
        request_context.log_out()
    elif request.endpoint in LOG_IN | LOG_IN_AGAIN:
        _log_in(answer, response)
    return response


def _find(key_hash: bytes) -> StoredAnswer | None:
    """Return the answer under a key. A login that has ended since is not an answer: the form counts as new."""
    services = request_context.services()
    answer = stored.find(services.db, key_hash)
    if answer is not None and request.endpoint in LOG_IN and _has_ended(answer, answer.began):
        stored.forget(services.db, key_hash)
        return None
    return answer


def _log_in(answer: StoredAnswer, response: AnyResponse) -> None:
    """Restore the session that the first press began, unless it is active here, has ended, or is another person's."""
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
    """Return whether the first press's session has ended since, by a logout there or for the whole account."""
    subjects = [f"user:{answer.object_id}", f"sid:{_name('session', g.key_hash, answer.began)}"]
    with request_context.services().db.read() as tx:
        return users.is_revoked_since(tx, subjects, since)


def _name(purpose: str, key_hash: bytes, began: datetime) -> str:
    signing_key = idempotency_keys.keys_of(request_context.services().settings)[0]
    return idempotency_keys.derived(signing_key, purpose, key_hash, began)


def _look_once_more(response: Response) -> AnyResponse:
    """Replace a refusal by the first press's answer if its change is what caused the refusal."""
    claimed: Claim | None = g.get("claim")
    if g.get("key_hash") is None or g.get("answer") is not None or (claimed is not None and claimed.is_answered):
        return response
    try:
        return answer_again() or response
    except Unavailable:
        return response
