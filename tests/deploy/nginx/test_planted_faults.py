"""Each guarantee, broken in a copy of the shipped files: the check that holds it must find fault.

Slow clients, smuggling, reloads and certificates have their planted faults beside their tests.
"""

from collections.abc import Callable

import pytest

from tests.deploy.nginx import checks_of_answers as answers
from tests.deploy.nginx import checks_of_requests as requests
from tests.deploy.nginx import checks_of_tls as tls
from tests.deploy.nginx import checks_of_webs as webs
from tests.deploy.nginx.authority import WebAuthority
from tests.deploy.nginx.front import Front, front_of
from tests.deploy.nginx.site import Fault

Check = Callable[[Front], None]

SITE, MAIN = "templates/vote.conf.template", "nginx.conf"
HEADERS, PROXY, STATIC = "snippets/proxy-headers.conf", "snippets/proxy.conf", "snippets/static.conf"
LOG, TLS = "snippets/access-log.conf", "snippets/tls.conf"
OLD_TLS = (
    Fault(TLS, "ssl_protocols TLSv1.2", "ssl_protocols TLSv1 TLSv1.1 TLSv1.2"),
    Fault(TLS, "ssl_ciphers ", "ssl_ciphers ECDHE-ECDSA-AES128-SHA:@SECLEVEL=0:"),
)
ANY_NAME = """
    ssl_certificate /etc/letsencrypt/current/fullchain.pem;
    ssl_certificate_key /etc/letsencrypt/current/privkey.pem;
    return 421;"""
PASS = "    location / {\n        proxy_pass http://web;"

FAULTS: dict[str, tuple[tuple[Fault, ...], Check]] = {
    "the address is appended": (
        (Fault(HEADERS, "X-Forwarded-For $remote_addr", "X-Forwarded-For $proxy_add_x_forwarded_for"),),
        requests.forwarding_headers_are_ours,
    ),
    "the client's own header passes": (
        (Fault(HEADERS, 'proxy_set_header Forwarded "";', ""),),
        requests.forwarding_headers_are_ours,
    ),
    "names with underscores pass": (
        (Fault(MAIN, "server_tokens off;", "server_tokens off; underscores_in_headers on;"),),
        requests.forwarding_headers_are_ours,
    ),
    "a location forgets the headers": (
        (Fault(SITE, "        include /etc/nginx/snippets/proxy-headers.conf;\n", ""),),
        requests.forwarding_headers_are_ours,
    ),
    "the request id is the client's": (
        (Fault(HEADERS, "X-Request-Id $request_id", "X-Request-Id $http_x_request_id"),),
        requests.the_request_id_is_ours,
    ),
    "any name is answered": (
        (Fault(SITE, "    ssl_reject_handshake on;\n    return 421;", ANY_NAME),),
        requests.other_names_are_refused,
    ),
    "a name that is not ours is answered": (
        (Fault(SITE, "    return 421;", "    location / {\n        proxy_pass http://web;\n    }"),),
        requests.other_names_are_refused,
    ),
    "metrics are public": (
        (
            Fault(
                SITE,
                "location = /metrics {\n        return 404;",
                "location = /metrics {\n        proxy_pass http://web;",
            ),
        ),
        requests.what_is_inside_stays_inside,
    ),
    "a spelling leads inside": (
        (Fault(SITE, "location = /ready", "location = /ready/"),),
        requests.what_is_inside_stays_inside,
    ),
    "a ballot may be large": (
        (Fault(SITE, "client_max_body_size 16k", "client_max_body_size 64k"),),
        requests.bodies_are_limited,
    ),
    "a form may be small only": (
        (Fault(SITE, "client_max_body_size 64k", "client_max_body_size 60k"),),
        requests.bodies_are_limited,
    ),
    "votes are limited by address": (
        (
            Fault(
                SITE,
                "    location @ballot {",
                "    location @ballot {\n        limit_req zone=login burst=100 nodelay;",
            ),
        ),
        requests.votes_are_not_limited,
    ),
    "pages are limited by address": (
        (Fault(SITE, PASS, PASS + " limit_req zone=login burst=100 nodelay;"),),
        requests.votes_are_not_limited,
    ),
    "logins are not limited": (
        (Fault("snippets/login.conf", "limit_req zone=login burst=100 nodelay;", ""),),
        requests.only_logins_are_limited,
    ),
    "one limit for everybody": (
        (Fault("snippets/login-limit.conf", "limit_req_zone $client_network", "limit_req_zone $server_name"),),
        requests.only_logins_are_limited,
    ),
    "TLS 1.0": (OLD_TLS, requests.a_client_without_tls_1_2_is_refused),
    "TLS 1.0, by sslyze": (OLD_TLS, tls.sslyze_finds_it_compliant),
    "a weak suite, by sslyze": (
        (Fault(TLS, "ssl_ciphers ", "ssl_ciphers ECDHE-ECDSA-AES128-SHA256:"),),
        tls.sslyze_finds_it_compliant,
    ),
    "tickets, by sslyze": (
        (Fault(TLS, "ssl_session_tickets off", "ssl_session_tickets on"),),
        tls.sslyze_finds_it_compliant,
    ),
    "no HTTP/2": ((Fault(SITE, "ssl http2", "ssl"),), tls.http_2_is_offered),
    "the API is led on to HTTPS": (
        (Fault(SITE, "location /api/ {", "location /never/ {"),),
        answers.plain_http_leads_to_https,
    ),
    "plain HTTP is served": (
        (Fault(SITE, "return 301 https://${SERVER_NAME}$request_uri", "proxy_pass http://web"),),
        answers.plain_http_leads_to_https,
    ),
    "the redirect goes where the client says": (
        (Fault(SITE, "return 301 https://${SERVER_NAME}", "return 301 https://$host"),),
        answers.plain_http_leads_to_https,
    ),
    "no HSTS": ((Fault("snippets/hsts.conf", "add_header", "# add_header"),), answers.every_answer_has_the_headers),
    "HSTS is sent twice": (
        (Fault(PROXY, "proxy_hide_header Strict-Transport-Security;", ""),),
        answers.every_answer_has_the_headers,
    ),
    "the version shows": (
        (Fault(MAIN, "server_tokens off", "server_tokens on"),),
        answers.every_answer_has_the_headers,
    ),
    "the key lacks Accept-Encoding": (
        (Fault(STATIC, '"$uri $static_coding"', '"$uri"'),),
        answers.static_files_are_kept_by_coding,
    ),
    "endless codings in the cache": (
        (
            Fault(STATIC, '"$uri $static_coding"', '"$uri $http_accept_encoding"'),
            Fault(STATIC, "proxy_set_header Accept-Encoding $static_coding;", ""),
        ),
        answers.static_files_are_kept_by_coding,
    ),
    "everything is kept": (
        (
            Fault(
                STATIC, "proxy_ignore_headers Vary", "proxy_cache_valid any 1h; proxy_ignore_headers Vary Cache-Control"
            ),
        ),
        answers.static_files_are_kept_by_coding,
    ),
    "no maintenance page": (
        (Fault("snippets/error-pages.conf", "error_page 502 504", "# error_page 502 504"),),
        answers.no_web_means_the_maintenance_page,
    ),
    "the step to a ballot loses the page": (
        (Fault(SITE, "recursive_error_pages on;", ""),),
        answers.no_web_means_the_maintenance_page,
    ),
    "the style of the page has changed": (
        (Fault("pages/error.html", "margin: 0 auto", "margin: 1px auto"),),
        answers.no_web_means_the_maintenance_page,
    ),
    "a web's own answer is replaced": (
        (
            Fault(PROXY, "proxy_redirect off;", "proxy_redirect off; proxy_intercept_errors on;"),
            Fault("snippets/error-pages.conf", "error_page 502 504", "error_page 502 503 504"),
        ),
        answers.no_web_means_the_maintenance_page,
    ),
    "the query is logged": (
        (Fault(LOG, '"path":"$logged_path"', '"path":"$request_uri"'),),
        answers.no_log_line_says_who_or_what,
    ),
    "codes are logged": ((Fault(LOG, '"${path_of_code}-"', "$uri"),), answers.no_log_line_says_who_or_what),
    "the address is logged": (
        (Fault(LOG, '"tls":"$ssl_protocol"', '"tls":"$ssl_protocol","address":"$remote_addr"'),),
        answers.no_log_line_says_who_or_what,
    ),
    "errors quote whole requests": (
        (Fault(MAIN, "error.log crit", "error.log error"),),
        answers.no_log_line_says_who_or_what,
    ),
    "a ballot is sent twice": (
        (Fault(PROXY, "proxy_next_upstream error timeout", "proxy_next_upstream error timeout non_idempotent"),),
        webs.a_ballot_is_sent_once,
    ),
    "a ballot that hangs is sent twice": (
        (Fault(PROXY, "proxy_next_upstream error timeout", "proxy_next_upstream error timeout non_idempotent"),),
        webs.a_hanging_web_holds_ballots_for_seconds,
    ),
    "a ballot waits as long as a page": (
        (Fault(SITE, "proxy_read_timeout 7s;", "proxy_read_timeout 12s;"),),
        webs.a_hanging_web_holds_ballots_for_seconds,
    ),
    "no other web is tried": (
        (Fault(PROXY, "proxy_next_upstream error timeout", "proxy_next_upstream off"),),
        webs.a_web_that_refuses_costs_nothing,
    ),
    "a silent web is waited for": (
        (Fault(PROXY, "proxy_connect_timeout 1s", "proxy_connect_timeout 5s"),),
        webs.a_web_that_is_silent_costs_a_second,
    ),
    "a failed web is asked again at once": (
        (
            Fault("upstream/web-1.conf", "max_fails=1", "max_fails=0"),
            Fault("upstream/web-2.conf", "max_fails=1", "max_fails=0"),
        ),
        webs.a_hanging_web_holds_ballots_for_seconds,
    ),
    "no page is asked twice": (
        (Fault(PROXY, "proxy_next_upstream error timeout", "proxy_next_upstream off"),),
        webs.a_page_is_asked_of_another_web,
    ),
    "a web's file is not read": (
        (Fault(MAIN, "include /etc/nginx/upstream/web-2.conf;", "include /etc/nginx/upstream/web-1.conf;"),),
        webs.a_web_can_be_taken_out_and_put_back,
    ),
}


@pytest.mark.parametrize("name", FAULTS)
def test_a_planted_fault_is_found(authority: WebAuthority, name: str) -> None:
    faults, check = FAULTS[name]
    with front_of(authority, *faults) as front, pytest.raises((AssertionError, OSError, pytest.fail.Exception)):
        check(front)
