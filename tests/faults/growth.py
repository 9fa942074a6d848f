"""Faults of growth and of watching: work that grows with the election, or with the number of people who watch."""

from tests.faults.fault import Fault

PLANS = "tests/integration/db/test_plans.py"
STATEMENTS = f"{PLANS}::test_no_statement_reads_a_large_table_whole"
SOCKET = "tests/unit/live/test_connection.py"
SHARED = f"{SOCKET}::test_one_frame_is_written_to_all_who_read_and_nobody_is_woken"
RECONNECT = "tests/browser/test_results.py"

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
        "vote/db/account_search.py",
        "AND email_key = %(email)s",
        "AND email = %(email)s",
        (STATEMENTS,),
    ),
    Fault(
        "an audit list compares every person",
        "No statement reads a large table whole",
        "vote/db/audit.py",
        "u.id = CASE WHEN a.actor ~ '^user:[0-9]{1,16}$' THEN substr(a.actor, 6)::bigint END",
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
    Fault(
        "each watcher gets an encoding of its own",
        "A snapshot is encoded once, however many watch",
        "vote/live/connection.py",
        "not self._write(unsent.frame)",
        "not self._write(type(unsent)(unsent.competition, unsent.version, unsent.text).frame)",
        (SHARED,),
    ),
    Fault(
        "each watcher's task is woken",
        "A snapshot costs one write for each watcher",
        "vote/live/connection.py",
        "if unsent is None or self._write is None",
        "if True or unsent is None or self._write is None",
        (SHARED,),
    ),
    Fault(
        "news is written into the middle of other news",
        "What a socket is sent is whole and never runs backwards",
        "vote/live/connection.py",
        "or self._is_over or self._is_sending or not",
        "or self._is_over or not",
        (f"{SOCKET}::test_who_does_not_read_is_sent_the_newest_by_a_task_and_never_anything_older",),
    ),
    Fault(
        "reconnecting waits half a minute",
        "Results move again within three seconds of the server's return",
        "vote/web/static/js/channel.js",
        "{ first: 400, most: 15_000 }",
        "{ first: 30_000, most: 30_000 }",
        (f"{RECONNECT}::test_results_move_again_after_the_web_was_killed_and_started",),
    ),
    Fault(
        "an answer opens no socket",
        "Results move again within three seconds of the server's return",
        "vote/web/static/js/channel.js",
        "if (answered && this.isAway && !this.isOver) this.connect();",
        "",
        (f"{RECONNECT}::test_however_long_the_server_was_away_a_socket_opens_within_three_seconds",),
    ),
)
