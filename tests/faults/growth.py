"""Faults of growth and of watching: work that grows with the election, or with the number of people who watch."""

from tests.faults.planted import Fault

PLANS = "tests/integration/db/test_plans.py"
STATEMENTS = f"{PLANS}::test_no_statement_reads_a_large_table_whole"

GROWTH_FAULTS = (
    Fault(
        "an index is missing",
        "No statement reads a large table whole",
        "vote/db/migrations/0006_growth.sql",
        "CREATE INDEX audit_log_actor ON audit_log (actor);\n",
        "",
        (STATEMENTS,),
    ),
    Fault(
        "a search passes by its index",
        "No statement reads a large table whole",
        "vote/db/people.py",
        "AND lower(email) = %(search)s",
        "AND email = %(search)s",
        (STATEMENTS,),
    ),
    Fault(
        "an audit list compares every person",
        "No statement reads a large table whole",
        "vote/db/audit.py",
        "u.id = CASE WHEN a.actor ~ '^user:[0-9]{1,10}$' THEN substr(a.actor, 6)::bigint END",
        "a.actor = 'user:' || u.id",
        (STATEMENTS,),
    ),
    Fault(
        "the chain of the audit log looks for its end",
        "No function or trigger reads a large table whole",
        "vote/db/migrations/0001_initial.sql",
        "(SELECT chain FROM audit_log ORDER BY id DESC LIMIT 1)",
        "(SELECT chain FROM audit_log ORDER BY at DESC LIMIT 1)",
        (f"{PLANS}::test_no_function_or_trigger_reads_a_large_table_whole",),
    ),
)
