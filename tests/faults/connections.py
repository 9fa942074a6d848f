"""Faults of connections: how long one may stay, and whom an answer is for. The form is that of `fault.py`."""

from tests.faults.fault import Fault

PROTOCOL = "vote/server/http_protocol.py"
FRAMING = "vote/server/request_framing.py"
ONE_CONNECTION = "tests/unit/server/test_http_protocol.py"
VOTE_LIMIT = "tests/unit/casting/test_vote_limit.py"

CONNECTION_FAULTS = (
    Fault(
        "an idle connection stays for ever",
        "no connection stays for ever",
        PROTOCOL,
        "        if self._idle_since is not None and now - self._idle_since >= self.timeout_keep_alive:\n",
        "        if False:\n",
        (f"{ONE_CONNECTION}::test_an_idle_connection_takes_more_requests_and_is_closed_in_the_end",),
    ),
    Fault(
        "an answer before the body leaves a connection for ever",
        "slow clients are cut off",
        PROTOCOL,
        "        if self._is_in_head and self.cycle is not None and self.cycle.response_complete:\n",
        "        if False:\n",
        (f"{ONE_CONNECTION}::test_a_connection_that_was_answered_before_its_body_came_is_closed_in_the_end",),
    ),
    Fault(
        "a closing connection waits for ever",
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
        "whoever reads log-outs gives up at the first surprise",
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
        "an answer that cannot be told ends the call of all others",
        "nobody waits for ever",
        "vote/ballotlog/pending_ballot.py",
        "        except Exception:  # whatever happens to one voter's answer",
        "        except ZeroDivisionError:  # whatever happens to one voter's answer",
        ("tests/unit/ballotlog/test_ballot_box.py::test_an_answer_that_cannot_be_told_keeps_nobody_else_waiting",),
    ),
    Fault(
        "a limit that cannot be told ends the call of all others",
        "nobody waits for ever",
        "vote/casting/vote_limit.py",
        "                except Exception:  # whatever happens to one voter's answer",
        "                except ZeroDivisionError:  # whatever happens to one voter's answer",
        (f"{VOTE_LIMIT}::test_an_answer_that_cannot_be_told_keeps_nobody_else_waiting",),
    ),
    Fault(
        "a surprise on the way to the limits stops a vote",
        "a limit that cannot be asked stops nobody from voting",
        "vote/casting/vote_limit.py",
        "        except Exception:  # whatever it is: nobody may wait for ever\n",
        "        except ZeroDivisionError:\n",
        (f"{VOTE_LIMIT}::test_a_vote_passes_within_the_share_of_its_process_whatever_goes_wrong",),
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
