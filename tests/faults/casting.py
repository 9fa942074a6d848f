"""Faults of the way of a ballot from its connection to its answer; the form is that of `fault.py`."""

from tests.faults.fault import Fault

ENDPOINT = "tests/integration/casting/test_endpoint.py"

CASTING_FAULTS = (
    Fault(
        "what is refused is called accepted",
        "R1: nothing is called accepted before it is on disk",
        "vote/casting/endpoint.py",
        "        if (refusal := vote_response.refusal(outcome)) is not None:\n            raise refusal\n",
        "",
        (ENDPOINT,),
    ),
    Fault(
        "a forged session is read",
        "a session is signed by us",
        "vote/identity/session_codec.py",
        "not any(hmac.compare_digest(_signature(key, signed), signature) for key in self._keys)",
        "not signature",
        ("tests/unit/identity/test_sessions.py",),
    ),
    Fault(
        "an old session is read",
        "24 hours end a session in any case",
        "vote/identity/session_codec.py",
        "0 <= age_s <= self._max_age_s",
        "0 <= age_s",
        ("tests/unit/identity/test_sessions.py",),
    ),
)
