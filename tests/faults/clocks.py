"""Faults of clocks that differ between machines; the form is that of `fault.py`."""

from tests.faults.fault import Fault

CLOCKS = "tests/integration/web/test_tokens.py"
CLOCK_FAULTS = (
    Fault(
        "a login begins by the web host's clock",
        "what was ended is told apart by one clock",
        "vote/web/request_context.py",
        "        g.began = now_by_database()\n",
        "        g.began = time.time()\n",
        (f"{CLOCKS}::test_on_a_host_that_is_ahead_no_login_outlives_the_end_of_all",),
    ),
    Fault(
        "a fresh token is not valid yet elsewhere",
        "every ready reader takes a fresh token",
        "vote/web/tokens.py",
        "BEFORE_S = int(clock.APART_S)",
        "BEFORE_S = 0",
        (f"{CLOCKS}::test_on_a_host_that_is_behind_a_fresh_token_counts",),
    ),
    Fault(
        "the end of all is told by the web host's clock",
        "what was ended is told apart by one clock",
        "vote/web/tokens.py",
        "        services.revocations.refresh()\n    except DatabaseUnavailable:",
        "        services.revocations.add(f'user:{user_id}')\n    except DatabaseUnavailable:",
        (f"{CLOCKS}::test_who_logs_in_again_at_once_is_in",),
    ),
    Fault(
        "a confirmed address ends logins by the web host's clock",
        "what was ended is told apart by one clock",
        "vote/web/account/mailed_links.py",
        "        tokens.know_ended(request_context.services(), confirmed.user_id)\n",
        "        request_context.services().revocations.add(f'user:{confirmed.user_id}')\n",
        (
            "tests/integration/actions/test_one_mailbox_one_vote.py"
            "::test_who_logs_in_right_after_confirming_is_in_wherever_the_clock_is_ahead",
        ),
    ),
    Fault(
        "a fresh cookie is refused where the clock is behind",
        "a session goes from host to host",
        "vote/identity/session_codec.py",
        "SIGNED_BEFORE_S = 2",
        "SIGNED_BEFORE_S = 0",
        (f"{CLOCKS}::test_a_session_is_no_strangers_where_the_clock_is_behind",),
    ),
    Fault(
        "a host is ready whatever its clock says",
        "/ready: the clock is PostgreSQL's within a second",
        "vote/server/probes.py",
        "        if abs(ahead_s) > clock.APART_S:\n",
        "        if False:\n",
        (f"{CLOCKS}::test_a_host_that_is_too_far_off_is_not_ready",),
    ),
)
