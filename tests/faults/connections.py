"""Faults of connections: how long one may stay, and whom an answer is for. The form is that of `fault.py`."""

from tests.faults.fault import Fault

PROTOCOL = "vote/server/http_protocol.py"
FRAMING = "vote/server/request_framing.py"
ONE_CONNECTION = "tests/unit/server/test_http_protocol.py"

CONNECTION_FAULTS = (
    Fault(
        "an idle connection stays forever",
        "no connection stays for ever",
        PROTOCOL,
        "        if self._idle_since is not None and now - self._idle_since >= self.timeout_keep_alive:\n",
        "        if False:\n",
        (f"{ONE_CONNECTION}::test_an_idle_connection_takes_more_requests_and_is_closed_in_the_end",),
    ),
    Fault(
        "an answer before the body leaves a connection forever",
        "slow clients are cut off",
        PROTOCOL,
        "        if self._is_in_head and self.cycle is not None and self.cycle.response_complete:\n",
        "        if False:\n",
        (f"{ONE_CONNECTION}::test_a_connection_that_was_answered_before_its_body_came_is_closed_in_the_end",),
    ),
    Fault(
        "a closing connection waits forever",
        "slow clients are cut off",
        PROTOCOL,
        "        if self._is_leaving:\n",
        "        if False:\n",
        (f"{ONE_CONNECTION}::test_an_answer_that_nobody_reads_keeps_no_connection",),
    ),
    Fault(
        "a body behind a foreign upgrade is the next request",
        "RFC 9112 §11.2: no request is smuggled",
        FRAMING,
        "            self._ignore_upgrade()\n",
        "            self._is_in_head, self._is_ignoring_upgrade = True, False\n",
        (f"{ONE_CONNECTION}::test_a_foreign_upgrade_is_ignored_and_the_body_read",),
    ),
    Fault(
        "a ballot is told what is wrong with the next request",
        "a 4xx is a promise: this ballot is not counted",
        FRAMING,
        "            if self._must_wait():\n",
        "            if False:\n",
        (f"{ONE_CONNECTION}::test_what_is_wrong_with_the_next_request_is_told_after_this_one_is_answered",),
    ),
    Fault(
        "a handshake that is none is never answered",
        "slow clients are cut off",
        "vote/live/protocol.py",
        "        if not self.handshake_initiated and not self.transport.is_closing():\n",
        "        if False:\n",
        (f"{ONE_CONNECTION}::test_a_handshake_that_is_none_is_refused",),
    ),
    Fault(
        "whoever reads logouts gives up at the first surprise",
        "a log-out counts in every process within a second",
        "vote/identity/revocations.py",
        "        except Exception:  # whatever it is",
        "        except ZeroDivisionError:  # whatever it is",
        ("tests/unit/identity/test_revocations.py",),
    ),
    Fault(
        "a surprise on the way to the log is told to nobody",
        "nobody waits for ever",
        "vote/ballotlog/ballot_box.py",
        "        except Exception as error:  # noqa: BLE001  # as above\n",
        "        except ZeroDivisionError as error:\n",
        ("tests/unit/ballotlog/test_ballot_box.py",),
    ),
    Fault(
        "an outcome that nobody waits for ends the call of all others",
        "nobody waits for ever",
        "vote/ballotlog/pending_ballot.py",
        "        if not self.outcome.done():\n            self.outcome.set_result(outcome)",
        "        self.outcome.set_result(outcome)",
        ("tests/integration/ballotlog/test_ballot_box.py::test_who_stops_waiting_keeps_nobody_else_waiting",),
    ),
    Fault(
        "whoever looks at roles gives up at the first surprise",
        "a role that is taken away closes hidden results within a second",
        "vote/live/endpoint.py",
        "            except Exception:  # whatever it is: roles are checked again",
        "            except ZeroDivisionError:  # whatever it is: roles are checked again",
        ("tests/integration/live/test_logins.py::test_roles_are_looked_at_again_after_what_nobody_expected",),
    ),
)
