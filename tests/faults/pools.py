"""Faults of connections to the database: how long one waits for one, what is told. The form is that of `fault.py`."""

from tests.faults.fault import Fault

POOL = "tests/integration/db/test_pool.py"
POOLER = "tests/system/test_pgbouncer.py"
POOL_FAULTS = (
    Fault(
        "who finds no connection free waits forever",
        "waiting for a connection has a deadline",
        "vote/db/pool.py",
        "            timeout=wait_s,\n",
        "            timeout=60,\n",
        (f"{POOL}::test_who_finds_every_connection_in_use_is_told_so_in_time",),
    ),
    Fault(
        "nobody counts who found no connection free",
        "exhaustion is a metric",
        "vote/db/pool.py",
        '            self._count("exhausted")\n',
        "            pass\n",
        (f"{POOL}::test_who_finds_every_connection_in_use_is_told_so_in_time",),
    ),
    Fault(
        "a busy database is taken for one that is away",
        "an exhausted pool opens no breaker: who comes next may find a connection",
        "vote/db/pool.py",
        "            if self._failures() == failures:\n                raise\n",
        "",
        (f"{POOL}::test_who_finds_every_connection_in_use_is_told_so_in_time",),
    ),
    Fault(
        "a slow statement is told as a database that is away",
        "why somebody was refused is a metric",
        "vote/db/pool.py",
        'self._count("slow" if answered else "away")',
        'self._count("away")',
        (f"{POOL}::test_a_statement_that_takes_too_long_is_given_up",),
    ),
    Fault(
        "pages wait for a thread forever",
        "the wait for a page's thread has a deadline",
        "vote/server/concurrency_limit.py",
        "            async with asyncio.timeout(self._wait_s):\n",
        "            async with asyncio.timeout(None):\n",
        ("tests/unit/server/test_concurrency_limit.py",),
    ),
    Fault(
        "roles are taken on a pooler's connections",
        "behind a pooler each part has a login of its own",
        "vote/config.py",
        "        if pooled:\n            raise",
        "        if False:\n            raise",
        ("tests/unit/test_config.py::test_behind_a_pooler_the_web_has_logins_of_its_own",),
    ),
    Fault(
        "statements through the pooler may take forever",
        "nothing a person waits for takes longer than 5 s, through a pooler too",
        "deploy/pgbouncer/pgbouncer.ini",
        " connect_query='SET statement_timeout = 5000'",
        "",
        (f"{POOLER}::test_the_server_has_few_connections_each_with_its_role_and_time_limit",),
    ),
    Fault(
        "who waits in the pooler waits two minutes",
        "waiting for a connection has a deadline, in a pooler too",
        "deploy/pgbouncer/pgbouncer.ini",
        "query_wait_timeout = 2\n",
        "",
        (f"{POOLER}::test_when_every_connection_to_the_server_is_taken_the_answer_is_503_and_then_all_is_well",),
    ),
    Fault(
        "who acts is left on the connection",
        "the acting user is the transaction's: a pooler gives the connection to somebody else next",
        "vote/db/pool.py",
        "        \"SELECT set_config('vote.actor', %s, true)",
        "        \"SELECT set_config('vote.actor', coalesce(nullif(current_setting('vote.actor', true), ''), %s), false)",
        (f"{POOLER}::test_everything_works_with_many_more_requests_than_connections",),
    ),
    Fault(
        "the load does not look at what the web asked of the database",
        "database answers p99 < 100 ms under the seed's load",
        "vote/ops/load/measurements.py",
        "    wanted = quantile * steps[math.inf]",
        "    wanted = 0",
        ("tests/unit/ops/load/test_measurements.py",),
    ),
)
