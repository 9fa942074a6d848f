"""Faults of lines, request ids and traces; the form is that of `fault.py`."""

from tests.faults.fault import Fault

PATHS = "tests/integration/web/test_logged_paths.py"
PLANTED = "tests/system/test_planted_secrets.py"
REQUEST_ID = "tests/unit/server/test_request_id.py"
SCHEMA = "tests/unit/test_log_schema.py"
STATEMENTS = "tests/integration/db/test_statement_log.py"
TRACES = "tests/unit/test_stack_traces.py"
TRACE = "tests/system/test_trace.py"
EVENTS = "tests/integration/web/test_event_lines.py"
LOG_FAULTS = (
    Fault(
        "a ballot has the id that a proxy gave its request",
        "R4: the journal's key is the ballot's own random id",
        "vote/server/request_id.py",
        "given, given[:HALF] + own[HALF:]",
        "given, given",
        (
            f"{REQUEST_ID}::test_a_ballot_is_found_by_its_request_and_is_its_own",
            f"{TRACE}::test_an_id_that_a_proxy_uses_twice_costs_nobody_a_vote",
        ),
    ),
    Fault(
        "anybody names a request",
        "X-Request-Id is taken from TRUSTED_PROXIES only",
        "vote/server/request_id.py",
        "if is_from_proxy and (given",
        "if (given",
        (f"{REQUEST_ID}::test_nobody_else_does",),
    ),
    Fault(
        "a peer counts as a proxy whoever it is",
        "X-Request-Id is taken from TRUSTED_PROXIES only",
        "vote/server/client_address.py",
        "    if here is not None and not is_within(here, trusted):\n        return False\n",
        "    if here is not None and not is_within(here, trusted):\n        return True\n",
        ("tests/unit/server/test_client_address.py::test_what_our_proxy_says_is_believed_and_taken_out",),
    ),
    Fault(
        "any text names a request",
        "a request's id is 32 hexadecimal digits",
        "vote/server/request_id.py",
        'text.replace(b"-", b"").decode("ascii") if _GIVEN.fullmatch(text) else None',
        'text.decode("latin-1") or None',
        (f"{REQUEST_ID}::test_what_is_no_id_is_replaced",),
    ),
    Fault(
        "of two ids the first counts",
        "a client's id does not pass through a proxy that adds its own",
        "vote/server/request_id.py",
        "if len(values) == 1 else None",
        "if values else None",
        (f"{REQUEST_ID}::test_of_two_ids_none_counts",),
    ),
    Fault(
        "a ballot's id has nothing of its request's",
        "a row is found from the id of its request",
        "vote/server/request_id.py",
        "given, given[:HALF] + own[HALF:]",
        "given, own",
        (f"{REQUEST_ID}::test_a_ballot_is_found_by_its_request_and_is_its_own",),
    ),
    Fault(
        "a line shows the whole path",
        "no line holds a receipt or an access code",
        "vote/server/access_log.py",
        '"path": logged_path(path),',
        '"path": path,',
        (f"{PLANTED}::test_no_route_writes_what_it_was_sent",),
    ),
    Fault(
        "what follows an unknown word is shown",
        "no line holds a receipt or an access code",
        "vote/server/logged_paths.py",
        "            shown.append(OTHER)\n            break\n",
        "            shown.append(OTHER)\n            continue\n",
        (f"{PATHS}::test_the_rest_of_a_path_is_not_shown",),
    ),
    Fault(
        "a stack trace quotes the error",
        "no line holds what an error quotes",
        "vote/stack_traces.py",
        "    if isinstance(error, SAFE_TEXTS) and",
        "    if isinstance(error, Exception) and",
        (f"{TRACES}::test_what_an_error_quotes_is_not_in_it",),
    ),
    Fault(
        "a mail server's answer is quoted",
        "no line holds an address",
        "vote/stack_traces.py",
        " and not isinstance(error, SMTPException)",
        "",
        (f"{TRACES}::test_what_an_error_quotes_is_not_in_it",),
    ),
    Fault(
        "a library's line goes on with its arguments",
        "events are few, and no line holds the arguments of a callback",
        "vote/logs.py",
        '        first = first.partition("(")[0].partition("<")[0].strip()\n',
        "        pass\n",
        ("tests/unit/test_logs.py::test_no_argument_of_a_callback_is_in_a_line",),
    ),
    Fault(
        "a batch of lines is one write",
        "lines of processes that share a pipe do not mix",
        "vote/server/access_log.py",
        "        if piece and size + len(line) > select.PIPE_BUF:\n",
        "        if piece and size < 0:\n",
        ("tests/unit/test_logs.py::test_no_write_is_larger_than_a_pipe_takes_whole",),
    ),
    Fault(
        "a ballot's call goes on under the first one's id",
        "a line names the request in which it was written, or none",
        "vote/ballotlog/ballot_box.py",
        ", context=Context())",
        ")",
        ("tests/integration/casting/test_endpoint.py::test_the_shared_call_is_nobodys_request",),
    ),
    Fault(
        "statements are logged in production",
        "LOG_QUERIES=on is refused in production",
        "vote/production_rules.py",
        "    if given.log_queries:\n",
        "    if False:\n",
        ("tests/unit/test_production_rules.py::test_production_refuses_it_with_the_reason_and_a_laptop_starts",),
    ),
    Fault(
        "a slow statement leaves no line",
        "slower than LOG_SLOW_MS: always",
        "vote/db/statement_log.py",
        "not (is_slow or self.is_every) or",
        "not self.is_every or",
        (f"{STATEMENTS}::test_a_slow_statement_has_a_line_unasked",),
    ),
    Fault(
        "a refused right leaves no line",
        "ASVS 16.3.2: refused authorisations are logged",
        "vote/web/errors.py",
        "    if status == 403:\n        _log_refusal(error)\n",
        "",
        (f"{EVENTS}::test_who_lacks_a_right_leaves_a_line",),
    ),
    Fault(
        "a decision leaves no line",
        "every decision about ballots that may be missing is logged",
        "vote/actions/closing.py",
        '        logger.warning("gaps decided", actor=actor_of(by), gaps=decided)\n',
        "        pass\n",
        (f"{EVENTS}::test_decisions_over_ballots_that_may_be_missing", SCHEMA),
    ),
    Fault(
        "a line of the code that the schema does not know",
        "every line satisfies docs/logs.schema.json",
        "vote/web/account/login.py",
        'logger.info("registered", user_id=account.id)',
        'logger.info("registered", user_id=account.id, username=account.username)',
        (f"{SCHEMA}::test_a_line_of_the_code_is_in_the_schema",),
    ),
    Fault(
        "the start names values",
        "the start names settings, never their values",
        "vote/config.py",
        "sorted(name.upper() for name in self.model_fields_set)",
        "sorted(f'{name.upper()}={getattr(self, name)}' for name in self.model_fields_set)",
        ("tests/system/test_log_lines.py::test_each_part_says_when_it_starts_and_stops_and_with_which_settings",),
    ),
    Fault(
        "a trace takes any batch of the shard",
        "`vote trace` names the batch that recorded the ballot",
        "vote/ops/trace/lines.py",
        'if is_here and line.get("after", 0) < place.position <= line.get("last", -1):',
        "if is_here:",
        ("tests/unit/ops/test_trace_lines.py::test_lines_of_the_request_and_the_batch_of_its_place",),
    ),
)
