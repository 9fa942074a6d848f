"""Faults of the short way of a ballot; the form is that of `fault.py`."""

from tests.faults.fault import Fault

EXPRESS = "tests/integration/server/test_express.py"
ON_THE_WIRE = "tests/system/test_cast_by_form.py"

SHORT_WAY_FAULTS = (
    Fault(
        "the long way asks the log once more",
        "R3: one call for one press of the button",
        "vote/casting/endpoint.py",
        "        if attempt.outcome is None:\n",
        "        if True:\n",
        (f"{EXPRESS}::test_a_ballot_that_is_not_confirmed_is_not_sent_again",),
    ),
    Fault(
        "the short way counts against no limit",
        "20 votes a second of an account, after 400",
        "vote/casting/express.py",
        "        if number:\n            self._casting",
        "        if False:\n            self._casting",
        ("tests/system/test_limits.py",),
    ),
    Fault(
        "on the short way nobody needs to be confirmed",
        "with EMAIL_CONFIRMATION a vote needs a confirmed address",
        "vote/casting/express.py",
        " or self._confirmed.needs_lookup(attempt.who)",
        "",
        (EXPRESS,),
    ),
    Fault(
        "what is refused is told as accepted on the short way",
        "R1: nothing is called accepted before it is on disk",
        "vote/casting/express.py",
        "isinstance(outcome, LogUnavailable) or outcome.result not in APPENDED",
        "isinstance(outcome, LogUnavailable)",
        (ON_THE_WIRE,),
    ),
    Fault(
        "a request sent ahead waits for ever",
        "RFC 9112 §9.3.2: requests sent ahead are answered in order",
        "vote/server/express_protocol.py",
        "            self.on_response_complete()\n",
        "",
        (f"{ON_THE_WIRE}::test_requests_sent_ahead_are_answered_in_order",),
    ),
    Fault(
        "a server that ends keeps the connection",
        "a rolling update costs no vote",
        "vote/server/express_protocol.py",
        "            if not cycle.keep_alive:\n                self.transport.close()\n",
        "",
        (f"{ON_THE_WIRE}::test_a_ballot_in_pieces_is_one",),
    ),
    Fault(
        "a forged session is read the short way",
        "a session is signed by us",
        "vote/identity/session_codec.py",
        "not any(hmac.compare_digest(_signature(key, signed), signature) for key in self._keys)",
        "not signature",
        ("tests/unit/identity/test_sessions.py",),
    ),
    Fault(
        "an old session is read the short way",
        "24 hours end a session in any case",
        "vote/identity/session_codec.py",
        "0 <= age_s <= self._max_age_s",
        "0 <= age_s",
        ("tests/unit/identity/test_sessions.py",),
    ),
)
