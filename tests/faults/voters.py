"""Faults of who votes: tokens, log-outs, forms, receipts; the form is that of `fault.py`."""

from tests.faults.fault import Fault

CASTING = "tests/system/test_casting.py"
DOMAIN = "tests/unit/domain/test_rules.py"

VOTER_FAULTS = (
    Fault(
        "a token's signature is not looked at",
        "RFC 8725 §3.2",
        "vote/identity/bearer_tokens.py",
        "        if hmac.compare_digest(expected, signature):",
        "        if True:",
        ("tests/unit/test_auth.py",),
    ),
    Fault(
        "a logout is not followed by other processes",
        "a log-out counts everywhere within a second",
        "vote/identity/revocations.py",
        "        while not self._stop.wait(REFRESH_S):\n            self._try_refresh()\n",
        "        while not self._stop.wait(REFRESH_S):\n",
        (f"{CASTING}::test_a_log_out_counts_on_every_process_within_a_second",),
    ),
    Fault(
        "a form needs no token",
        "CSRF: a browser's form carries the token of its session",
        "vote/casting/vote_request.py",
        '        csrf.check_csrf(self._csrf_keys, session["sid"], form.csrf_token or header("x-csrf-token"))\n',
        "",
        (f"{CASTING}::test_a_browsers_form_needs_its_token_and_is_sent_to_the_page",),
    ),
    Fault(
        "another receipt for each press",
        "R1: the receipt is a keyed hash of competition and voter",
        "vote/domain/receipt.py",
        'mac(key, b"%d" % voter)',
        'mac(key, __import__("secrets").token_bytes(8))',
        (DOMAIN,),
    ),
)
