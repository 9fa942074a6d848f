"""Faults of the load tester: ways to pass a service that should not pass. The form is that of `fault.py`."""

from tests.faults.fault import Fault

LOAD = "tests/system/test_load.py"
VERDICT = "tests/unit/ops/load/test_verdict.py"
FIRE = "tests/integration/ops/load/test_client.py"
TARGET = "tests/unit/ops/load/test_target.py"
LOAD_FAULTS = (
    Fault(
        "the load is measured from the sending",
        "a stall costs every vote that was due meanwhile",
        "vote/ops/load/measurements.py",
        "            self.latency.add(now - due)",
        "            self.latency.add(now - sent)",
        (f"{LOAD}::test_a_stall_costs_every_vote_that_was_due_meanwhile",),
    ),
    Fault(
        "the load does not look at the tally",
        "zero loss is checked against the tally",
        "vote/ops/load/verdict.py",
        "        if counted < least[place]:",
        "        if False:",
        (f"{LOAD}::test_a_tally_that_lost_a_vote_is_seen",),
    ),
    Fault(
        "the load does not look at each voter",
        "zero loss is checked for each voter",
        "vote/ops/load/verdict.py",
        "    if vote.status in ACCEPTED and counted != vote.choice:",
        "    if False:",
        (VERDICT,),
    ),
    Fault(
        "the load counts quick refusals as quick votes",
        "latency is that of votes",
        "vote/ops/load/measurements.py",
        "        if status in ACCEPTED or status == NO_ANSWER:",
        "        if True:",
        (VERDICT,),
    ),
    Fault(
        "a missed limit of the load exits with 0",
        "exit code by limits",
        "vote/ops/commands/load.py",
        "    sys.exit(0 if result.passes else 1)",
        "    sys.exit(0)",
        (f"{LOAD}::test_a_tally_that_lost_a_vote_is_seen",),
    ),
    Fault(
        "the load goes wherever it is aimed",
        "a foreign target is refused",
        "vote/ops/load/target.py",
        "    if not target.is_loopback and target not in named:",
        "    if False:",
        (TARGET,),
    ),
    Fault(
        "a name that begins like loopback is loopback to the load",
        "a foreign target is refused",
        "vote/ops/load/target.py",
        'self.host == "localhost" or',
        'self.host.startswith(("localhost", "127.")) or',
        (TARGET,),
    ),
    Fault(
        "the load does not look whose certificate it is",
        "no token is sent to who only claims to be the target",
        "vote/ops/load/target.py",
        "ssl.create_default_context()",
        "ssl._create_unverified_context()",
        (f"{FIRE}::test_over_tls_the_certificate_is_checked_before_a_token_is_sent",),
    ),
    Fault(
        "the load calls a vote unanswered that was never heard",
        "an idle connection that is closed costs no vote",
        "vote/ops/load/client.py",
        "        if request is not None and unheard:",
        "        if False:",
        (f"{FIRE}::test_a_connection_that_was_closed_while_idle_costs_no_vote",),
    ),
    Fault(
        "the load leaves its accounts",
        "what a load made is taken away",
        "vote/ops/load/provisioning.py",
        "            if not keep:\n                _erase(",
        "            if keep:\n                _erase(",
        (f"{LOAD}::test_a_load_votes_counts_and_takes_everything_away",),
    ),
)
