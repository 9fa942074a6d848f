"""Faults that only time shows, planted to be found by a soak of a minute; and faults of the soak itself. The form is that of
`fault.py`.
"""

from tests.faults.fault import Fault

JUDGE = "tests/unit/soak/test_judge.py"
SHORT = "tests/soak/short.py"
SOAK_FAULTS = (
    Fault(
        "a descriptor stays open for each watcher",
        "no growth of file descriptors",
        "vote/live/endpoint.py",
        "            await connection.serve(",
        "            __import__('socket').socket().detach()\n            await connection.serve(",
        (SHORT,),
    ),
    Fault(
        "a watcher that is gone is never forgotten",
        "no growth of what is kept for watchers",
        "vote/live/connection.py",
        '            if message["type"] == "websocket.disconnect":\n                self.end(None)\n',
        '            if message["type"] == "websocket.disconnect":\n',
        # A soak does not see it: the next news finds out. Where nobody votes there is none.
        ("tests/unit/live/test_connection.py::test_a_client_that_goes_while_it_is_sent_something_is_let_go",),
    ),
    Fault(
        "the soak lets everything grow",
        "growth beyond a stated slope fails",
        "tests/soak/judge.py",
        "        return self.per_hour <= self.limit\n",
        "        return True\n",
        (JUDGE,),
    ),
    Fault(
        "the soak takes noise for growth",
        "the limits allow for the noise of ten minutes",
        "tests/soak/judge.py",
        "self.per_hour + self.noise * HOUR_S / seconds",
        "self.per_hour",
        (JUDGE,),
    ),
    Fault(
        "the soak does not count",
        "loss is checked too",
        "tests/soak/soak.py",
        " and not self.wrong",
        "",
        (JUDGE,),
    ),
    Fault(
        "a part that fell over in a soak is forgotten with its leak",
        "a process that was started again has no history",
        "tests/soak/soak.py",
        " and not self.restarted",
        "",
        (JUDGE,),
    ),
)
