"""Faults in limits, addresses and patience; the form is that of `fault.py`."""

from tests.faults.fault import Fault

SHARED = "tests/integration/services/test_rate_limits.py"
AT_THE_DOOR = "tests/system/test_limits.py"
AT_THE_GATE = "tests/integration/web/test_rate_limits.py"
ADDRESS = "tests/unit/server/test_client_address.py"
NETWORKS = "tests/integration/server/test_client_address.py"
SLOW = "tests/system/test_slow_clients.py"

LIMIT_FAULTS = (
    Fault(
        "each process counts for itself alone",
        "limits are shared by all processes",
        "vote/services/rate_limiter.py",
        "self._best_effort.ask(lambda: self._script(keys=[key], args=[limit.interval_us, limit.burst, cost]))",
        "None",
        (f"{SHARED}::test_one_process_may_use_the_whole_limit_and_then_the_other_knows",),
    ),
    Fault(
        "without Redis everybody is let through",
        "limits hold within twice while Redis is away",
        "vote/services/rate_limiter.py",
        "self._local.consume(limit, [key], [cost])[0] if",
        "0.0 if",
        (f"{SHARED}::test_without_redis_limits_hold_within_twice_and_nobody_gets_an_error",),
    ),
    Fault(
        "without Redis each process allows the whole limit of votes",
        "limits hold within twice while Redis is away",
        "vote/services/rate_limits.py",
        "burst=max(1, self.burst // processes)",
        "burst=self.burst",
        (f"{SHARED}::test_without_redis_limits_hold_within_twice_and_nobody_gets_an_error",),
    ),
    Fault(
        "a frozen Redis is asked by everybody",
        "no request waits for a store that is down more than one short timeout",
        "vote/services/best_effort_redis.py",
        "            self._breaker.failed()\n",
        "            pass\n",
        (f"{SHARED}::test_a_frozen_redis_is_asked_by_one_in_a_while",),
    ),
    Fault(
        "the first request is never counted",
        "who is spared a question is counted with the next",
        "vote/services/deferred_counter.py",
        "return 0 if uncounted is None else 1 + uncounted",
        "return 0 if uncounted is None else 1",
        ("tests/unit/services/test_deferred_counter.py",),
    ),
    Fault(
        "a refused try fills the bucket further",
        "who is refused is not counted",
        "vote/services/rate_limiter.lua",
        "  if cost > 0 and over > 0 then\n    waits[i] = over\n",
        "  if cost > 0 and over > 0 then\n    waits[i] = over\n"
        "    redis.call('SET', key, string.format('%.0f', empty), 'PX', 1000000)\n",
        (f"{SHARED}::test_a_refused_try_counts_nothing",),
    ),
    Fault(
        "votes have no limit",
        "20 votes a second of an account, after 400",
        "vote/casting/endpoint.py",
        '            self._limit.consume(f"user:{vote.who.user_id}")',
        "            pass",
        ("tests/integration/casting/test_endpoint.py::test_an_account_that_votes_too_often_is_told_so",),
    ),
    Fault(
        "forged forms count",
        "CSRF is checked before limits",
        "vote/web/request_guards.py",
        "        check_form()  # before limits: what a stranger's page sends counts against nobody\n        check_limit()\n",
        "        check_limit()\n        check_form()\n",
        (AT_THE_GATE,),
    ),
    Fault(
        "a forwarding header is believed from anybody",
        "spoofed forwarding headers gain nothing, from 127.0.0.1 too",
        "vote/server/client_address.py",
        "    if not trusted or (nearest is not None and not is_within(nearest, trusted)):\n        return nearest\n",
        "",
        (ADDRESS,),
    ),
    Fault(
        "the left-most hop is believed",
        "what a client wrote into X-Forwarded-For never counts",
        "vote/server/client_address.py",
        "    for hop in reversed(hops):",
        "    for hop in hops:",
        (ADDRESS,),
    ),
    Fault(
        "each IPv6 address is a network",
        "one subscriber is one network",
        "vote/server/client_address.py",
        "IPV6_PREFIX = 64",
        "IPV6_PREFIX = 128",
        (ADDRESS,),
    ),
    Fault(
        "administration answers everywhere",
        "ADMIN_NETWORKS: /admin and /api/admin answer only there",
        "vote/web/request_guards.py",
        "        check_network(wanted)\n",
        "",
        (f"{NETWORKS}::test_administration_answers_only_to_its_networks",),
    ),
    Fault(
        "a proxy nobody knows opens administration",
        "who comes by a proxy that is none of ours stands in no network",
        "vote/server/client_address.py",
        "return is_within(address, networks) and not any(",
        "return is_within(address, networks) or not any(",
        (ADDRESS, f"{NETWORKS}::test_administration_answers_only_to_its_networks"),
    ),
    Fault(
        "figures are given to strangers",
        "/metrics is for METRICS_NETWORKS",
        "vote/asgi.py",
        'elif path == "/metrics" and not self._is_operator(scope):',
        'elif path == "/figures":',
        (f"{NETWORKS}::test_strangers_get_no_figures_and_no_reasons",),
    ),
    Fault(
        "strangers read why it is not ready",
        "/ready tells reasons to METRICS_NETWORKS only",
        "vote/asgi.py",
        "            if self._is_operator(scope):\n",
        "            if True:\n",
        (f"{NETWORKS}::test_strangers_get_no_figures_and_no_reasons",),
    ),
    Fault(
        "a body on its way holds a thread",
        "slow clients take nothing from others",
        "vote/asgi.py",
        "            receive = await request_body.buffer(scope, receive, BODY_MAX_BYTES)\n",
        "            pass\n",
        (SLOW,),
    ),
    Fault(
        "a head may take for ever",
        "slow clients are cut off",
        "vote/server/http_protocol.py",
        "        self._timer = self.loop.call_later(self.timeout_s, self._look)\n",
        "",
        (SLOW,),
    ),
    Fault(
        "each byte buys new patience",
        "slow clients are cut off",
        "vote/server/http_protocol.py",
        "        if self._sending_since is None:\n            self._sending_since",
        "        if True:\n            self._sending_since",
        (SLOW,),
    ),
    Fault(
        "who does not read may stay",
        "slow clients are cut off",
        "vote/server/http_protocol.py",
        "        self._unread_since = self.loop.time()\n",
        "",
        (SLOW,),
    ),
    Fault(
        "heads of any size are taken",
        "sizes are capped everywhere",
        "vote/input_limits.py",
        "HEAD_MAX_BYTES = 32 * KIB",
        "HEAD_MAX_BYTES = 32 * 1024 * KIB",
        (SLOW,),
    ),
)
