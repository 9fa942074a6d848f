"""Faults of what is refused at start and of who is told which secret; the form is that of `fault.py`."""

from tests.faults.fault import Fault

STOPPING = "tests/system/test_stopping.py"
RULES = "tests/unit/test_production_rules.py"
REFUSED = f"{RULES}::test_production_refuses_it_with_the_reason_and_a_laptop_starts"
STARTING_FAULTS = (
    Fault(
        "production takes what a laptop may",
        "VOTE_ENV=production refuses what is only acceptable on a laptop",
        "vote/config.py",
        'if settings.vote_env == "production" and (reasons :=',
        "if False and (reasons :=",
        (REFUSED,),
    ),
    Fault(
        "links in mails may begin with http",
        "production: PUBLIC_URL is https",
        "vote/production_rules.py",
        'if (given.public_url or "").startswith("http://"):',
        "if not given:",
        (REFUSED,),
    ),
    Fault(
        "a service file says where the database is",
        "production: TLS is judged by what libpq will do",
        "vote/transport_security.py",
        '    if effective["service"]:\n',
        "    if not effective:\n",
        (REFUSED,),
    ),
    Fault(
        "what libpq takes from the environment is not looked at",
        "production: TLS is judged by what libpq will do",
        "vote/transport_security.py",
        'given.get(name) or environ.get(variable) or ""',
        'given.get(name) or ""',
        (REFUSED,),
    ),
    Fault(
        "the whole internet may be our proxies",
        "production: TRUSTED_PROXIES are one's own",
        "vote/production_rules.py",
        "    return network.prefixlen < WIDEST_PREFIX[network.version]",
        "    return False",
        (REFUSED,),
    ),
    Fault(
        "a row of the keyboard is a secret",
        "production: the strength of secrets is measured",
        "vote/secret_strength.py",
        "    if bits(secret) < MIN_BITS:",
        "    if not secret:",
        (f"{RULES}::test_what_people_type_is_no_secret_however_long",),
    ),
    Fault(
        "random secrets are taken for weak ones",
        "production: what a generator made is taken",
        "vote/secret_strength.py",
        "MIN_BITS = 85",
        "MIN_BITS = 150",
        (f"{RULES}::test_ten_thousand_random_secrets_pass",),
    ),
    Fault(
        "the debugger may be open in production",
        "production: FLASK_DEBUG is refused",
        "vote/production_rules.py",
        "    ProductionRule(DEBUG_NAMES, _debugging),\n",
        "",
        (REFUSED,),
    ),
    Fault(
        "everyone may choose the key",
        "production: a secret's file is written by its owner alone",
        "vote/production_rules.py",
        "st_mode & stat.S_IWOTH",
        "st_mode & 0",
        (f"{RULES}::test_nobody_else_may_choose_a_secret",),
    ),
    Fault(
        "the process that hashes knows every key",
        "a process is told the secrets it needs, and no others",
        "vote/hash_process.py",
        "subprocess.Popen(command, env=environ, stdin",
        "subprocess.Popen(command, stdin",
        ("tests/unit/test_hash_process.py::test_it_is_told_nothing_of_our_environment",),
    ),
    Fault(
        "the worker can make tokens",
        "a process is told the secrets it needs, and no others",
        "vote/ops/environment.py",
        '    if "DATABASE_URL_WEB" not in databases:\n',
        "    if not databases:\n",
        (
            "tests/unit/ops/test_environment.py::test_the_keys_of_logins_are_for_the_web_alone",
            "tests/system/test_up.py::test_no_process_knows_a_secret_it_does_not_need",
        ),
    ),
    Fault(
        "a password stands on a command line",
        "no secret is on a command line",
        "vote/ops/backup/pg_clients.py",
        'password = fields.pop("password", None)',
        'password = fields.get("password", None)',
        ("tests/unit/ops/embedded/test_programs.py::test_no_secret_of_a_url_stands_on_a_command_line",),
    ),
    Fault(
        "a web that stops closes idle connections at once",
        "who has connected is answered",
        "vote/server/draining.py",
        "        await asyncio.sleep(LAME_DUCK_S)\n",
        "",
        (f"{STOPPING}::test_who_has_connected_is_answered",),
    ),
    Fault(
        "a web that stops keeps connections open",
        "a proxy sends no other request to a web that leaves",
        "vote/server/http_protocol.py",
        "            self.cycle.keep_alive = False  # the answer says so too\n",
        "            pass\n",
        (f"{STOPPING}::test_who_has_connected_is_answered",),
    ),
)
