"""Faults of static files and pages; the form is that of `fault.py`."""

from tests.faults.fault import Fault

FILES = "tests/integration/web/test_static_files.py"
ASSETS = "tests/unit/web/test_assets.py"
DASHBOARD = "tests/integration/web/dashboard/test_competition.py"
FORM = "tests/integration/web/dashboard/test_competition_form.py"
PAGE_FAULTS = (
    Fault(
        "a part of the system is written like a user name",
        "the dashboard tells people from parts of the system, whatever they call themselves",
        "vote/web/dashboard/audit_text.py",
        'AUTOMATICALLY = "the system, automatically"',
        'AUTOMATICALLY = "schedule"',
        ("tests/unit/web/dashboard/test_audit_text.py", DASHBOARD),
    ),
    Fault(
        "a step on the dashboard is told after it was undone",
        "the dashboard says of a step only what is still so",
        "vote/web/dashboard/competition_page.py",
        "DONE_IN.get(name, {}).get(state)",
        "next(iter(DONE_IN.get(name, {}).values()), None)",
        (f"{DASHBOARD}::test_what_a_step_did_is_said_as_long_as_it_is_so",),
    ),
    Fault(
        "what is fixed is shown as it was sent",
        "a form of the dashboard that is shown again says what is stored of fixed fields",
        "vote/web/dashboard/competition_page.py",
        "typed=competition_form.with_fixed(typed, competition)",
        "typed=typed",
        (FORM,),
    ),
    Fault(
        "static files do not say that they vary",
        "a cache in between gives nobody a coding they do not take",
        "vote/web/static_files.py",
        "[VARY, (b",
        "[(b",
        (f"{FILES}::test_a_file_is_kept_for_a_year_by_its_name_and_sent_compressed",),
    ),
    Fault(
        "pages do not say that they vary",
        "a cache in between gives nobody a coding they do not take",
        "vote/web/compression.py",
        '    response.vary.add("Accept-Encoding")\n',
        "",
        (f"{FILES}::test_a_page_is_compressed_for_whoever_takes_it",),
    ),
    Fault(
        "another version's name is kept for a year",
        "a name never changes its content",
        "vote/web/static_files.py",
        "IMMUTABLE if is_exact else NOT_KEPT",
        "IMMUTABLE",
        (f"{FILES}::test_a_name_of_another_version_is_answered_and_kept_by_nobody",),
    ),
    Fault(
        "a script is named by its source, not by what is served",
        "a name never changes its content",
        "vote/web/assets.py",
        "digest = sha256(body).hexdigest()",
        "digest = sha256(source.read_bytes()).hexdigest()",
        (f"{ASSETS}::test_a_scripts_name_changes_with_what_it_imports",),
    ),
    Fault(
        "a page with the client's text is compressed",
        "BREACH: a secret and text of the client never meet in a compressed page",
        "vote/web/compression.py",
        "and not request.query_string",
        "",
        (f"{FILES}::test_a_page_that_may_hold_text_of_the_client_is_not_compressed",),
    ),
    Fault(
        "tokens of forms are not masked",
        "BREACH: a secret is written differently each time",
        "vote/identity/csrf.py",
        "mask = secrets.token_bytes(MAC_BYTES)",
        "mask = bytes(MAC_BYTES)",
        (f"{FILES}::test_no_two_pages_show_the_same_token",),
    ),
    Fault(
        "files of a CDN are taken unseen",
        "a CDN cannot change what a page runs",
        "vote/web/assets.py",
        "        if not static_url:\n",
        "        if True:\n",
        (f"{FILES}::test_with_a_cdn_pages_take_files_from_it_and_compare_them",),
    ),
    Fault(
        "the policy allows any origin for scripts",
        "the CSP allows exactly the CDN",
        "vote/server/security_headers.py",
        "script-src {files};",
        "script-src {files} https:;",
        (f"{FILES}::test_with_a_cdn_pages_take_files_from_it_and_compare_them",),
    ),
    Fault(
        "a final page asks for nothing",
        "a page that is left open ends right by itself, over a reopening too",
        "vote/web/static/js/channel.js",
        "    this.asking = setTimeout(() => this.askSeldom(), soon(FINAL_MS));\n",
        "",
        (
            "tests/browser/test_pages_left_open.py::test_a_page_that_was_final_when_it_came_sees_a_reopening[results-socket]",
        ),
    ),
)
