"""Faults of forms: second presses, keys, cookies, and scripts that keep the browser from sending."""

from tests.faults.fault import Fault

PRESS = "tests/integration/web/test_double_submit.py"
KEYS = "tests/integration/web/test_idempotency.py"
LACKING = "tests/browser/test_missing_features.py"
ONE_CHANGE = f"{PRESS}::test_presses_in_the_same_moment_make_one_change"
AS_THE_FIRST = f"{PRESS}::test_a_second_press_is_answered_as_the_first"
PROMISE = "a form that is pressed twice makes one change and gets one answer"
FORM_FAULTS = (
    Fault(
        "a form's key is not claimed",
        PROMISE,
        "vote/db/pool.py",
        "        once.take(tx)\n",
        "        pass\n",
        (f"{ONE_CHANGE}[create]",),
    ),
    Fault(
        "a key is claimed outside the transaction of its change",
        "a first press that fails leaves the key to the second",
        "vote/db/pool.py",
        "                    with connection.transaction():\n                        _begin(connection, actor)\n"
        "                        with done_once(connection, once):\n                            yield connection\n",
        "                    with done_once(connection, once), connection.transaction():\n"
        "                        _begin(connection, actor)\n                        yield connection\n",
        (f"{PRESS}::test_a_first_press_that_fails_leaves_the_key_to_the_second",),
    ),
    Fault(
        "the gate does not look for an answer",
        PROMISE,
        "vote/web/idempotency.py",
        "    if g.answer is not None:\n        raise AlreadyAnswered\n",
        "",
        (f"{AS_THE_FIRST}[decide-lost]",),
    ),
    Fault(
        "a refusal is told though the first press made the change",
        PROMISE,
        "vote/web/idempotency.py",
        "        return answer_again() or response\n",
        "        return response\n",
        (f"{PRESS}::test_a_refusal_is_told_only_when_the_key_is_nobodys",),
    ),
    Fault(
        "a form's key is of no session",
        "a key of another browser is refused",
        "vote/identity/idempotency_keys.py",
        "    if not any(hmac.compare_digest(_mac(key, sid, nonce), signature) for key in signing_keys):\n",
        "    if not signing_keys:\n",
        (f"{KEYS}::test_a_key_of_another_browser_is_refused",),
    ),
    Fault(
        "a form has no key",
        PROMISE,
        "vote/web/templates/parts/forms.html",
        "{%- if once %}<input",
        "{%- if false %}<input",
        ("tests/unit/identity/test_idempotency_keys.py", f"{AS_THE_FIRST}[create-lost]"),
    ),
    Fault(
        "a header's form is written by hand",
        "no form lacks a key",
        "vote/web/templates/parts/header.html",
        "        {{ csrf(csrf_token) }}\n",
        '        <input type="hidden" name="csrf_token" value="{{ csrf_token }}">\n',
        ("tests/unit/identity/test_idempotency_keys.py",),
    ),
    Fault(
        "the second press of a login logs nobody in",
        "after two presses on log in somebody is logged in",
        "vote/web/idempotency.py",
        "        _log_in(answer, response)\n",
        "        pass\n",
        (f"{AS_THE_FIRST}[log in-lost]",),
    ),
    Fault(
        "a login form gives a session that was ended",
        "what was ended stays ended, whatever form is sent again",
        "vote/web/idempotency.py",
        "        return users.is_revoked_since(tx, subjects, since)\n",
        "        return False\n",
        (f"{KEYS}::test_a_second_press_gives_no_session_that_was_ended_everywhere",),
    ),
    Fault(
        "a form of the session before may change something",
        "a planted session gains nothing",
        "vote/web/request_guards.py",
        "idempotency.check(str(before), may_change=False)",
        "idempotency.check(str(before), may_change=True)",
        (f"{KEYS}::test_a_form_of_the_session_before_can_only_be_pressed_again",),
    ),
    Fault(
        "what was typed does not count",
        "a form that was corrected is another press",
        "vote/identity/idempotency_keys.py",
        "json.dumps([route, given, sorted(fields)])",
        "json.dumps([route, given])",
        (f"{KEYS}::test_a_form_that_says_something_else_is_another_press",),
    ),
    Fault(
        "keys are kept forever",
        "keys are kept for ten minutes",
        "vote/db/idempotency_keys.py",
        "KEEP_MINUTES = 10",
        "KEEP_MINUTES = 1000",
        (f"{KEYS}::test_a_key_is_kept_for_ten_minutes",),
    ),
    Fault(
        "a double press is two guesses",
        "a password is looked at once",
        "vote/web/account/login.py",
        "        with once.hold(request_context.services().db):\n            account = _check_login(once)\n",
        "        account = _check_login(once)\n",
        (f"{ONE_CHANGE}[log in]",),
    ),
    Fault(
        "a browser without cookies is told that its form is too old",
        "who is refused is told the reason",
        "vote/web/request_guards.py",
        "        raise NoCookie\n",
        "        raise ForgedForm\n",
        (f"{KEYS}::test_a_browser_without_cookies_is_told_so",),
    ),
    Fault(
        "the browser is kept from sending before the script knows that it can",
        "a vote arrives whatever the browser lacks",
        "vote/web/static/js/vote.js",
        "    let option, request;\n",
        "    event.preventDefault();\n    let option, request;\n",
        (LACKING,),
    ),
    Fault(
        "a browser without storage cannot vote",
        "a vote arrives whatever the browser lacks",
        "vote/web/static/js/vote.js",
        "      await this.send(option, request);\n    } catch {\n      this.sendPlainly();\n",
        "      await this.send(option, request);\n    } catch {\n",
        (LACKING,),
    ),
)
