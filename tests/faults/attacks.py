"""Faults that let a stranger's text run or spread; the form is that of `fault.py`."""

from tests.faults.fault import Fault

HOSTILE_TEXT = "tests/integration/web/test_hostile_text.py"
ATTACK_FAULTS = (
    Fault(
        "an option's text is not escaped",
        "XSS: stored text is text",
        "vote/web/templates/parts/ballot.html",
        '<span class="label" dir="auto">{{ option.label }}</span>',
        '<span class="label" dir="auto">{{ option.label|safe }}</span>',
        (f"{HOSTILE_TEXT}::test_no_field_of_a_competition_becomes_an_element",),
    ),
    Fault(
        "the button is written as HTML",
        "XSS: text is put into the live page as text",
        "vote/web/static/js/words.js",
        "  element.textContent = text;",
        "  element.innerHTML = text;",
        ("tests/browser/test_hostile_text.py",),
    ),
    Fault(
        "the request line holds the query",
        "privacy: what people type is in no log",
        "vote/server/middleware.py",
        "            more=scope[LINE],\n",
        '            more=scope[LINE] | {"message": scope.get("query_string", b"").decode()},\n',
        ("tests/system/test_private_log.py",),
    ),
    Fault(
        "registering writes the address down",
        "privacy: what people type is in no log",
        "vote/web/account/login.py",
        '    logger.info("registered", user_id=account.id)\n',
        '    logger.info("registered", user_id=account.id, contact=account.email)\n',
        ("tests/system/test_private_log.py",),
    ),
)
