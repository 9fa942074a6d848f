"""nginx: `nginx -t` and gixy over the shipped files, rendered for one name; each with planted faults."""

import re
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from tests.certificates import Authority
from tests.deploy.lint.checkers import gixy, nginx, tree
from tests.deploy.nginx.site import Fault, Site

NAME = "vote.example.org"
SEED = Path(__file__).parent / "seed" / "nginx.conf"
TEMPLATE = "templates/vote.conf.template"
SKIPS = {
    "http2_misdirected_request": "the default server answers 421 as a whole; it looks for that inside a location only",
    "try_files_is_evil_too": "for one error page, and for the challenges of a certificate authority",
}
Render = Callable[..., Path]


@pytest.fixture
def render(authority: Authority, tmp_path: Path) -> Render:
    """Renders the shipped files, or a broken copy of them: `render(Fault(…))` is the main file."""

    def rendered(*faults: Fault) -> Path:
        site = Site(tmp_path / "root", ["127.0.0.1:1", "127.0.0.1:2"], name=NAME, faults=faults)
        site.use(authority.issue("site", NAME))
        return site.conf

    return rendered


def unlike_ours(paths: Sequence[Path]) -> list[str]:
    """What neither of the two minds, and what makes addresses, votes or ciphers untrustworthy."""
    text = "\n".join(re.sub(r"#.*", "", path.read_text("utf-8")) for path in paths)
    rules = {
        "forwarded": (r"\$proxy_add_x_forwarded_for", "it keeps what the client wrote"),
        "twice": (r"proxy_next_upstream[^;]*\bnon_idempotent", "a ballot is never sent twice by us"),
        "ciphers": (r"ssl_ciphers[^;]*\b(HIGH|ALL|DEFAULT)\b", "name the ciphers: Mozilla's intermediate list"),
        "protocols": (r"ssl_protocols[^;]*\b(SSLv\d|TLSv1|TLSv1\.1)(?![.\d])", "TLS 1.2 and 1.3 only"),
        "include": (r"include[^;]*\*", "each part by its full name: a missing one must stop the start"),
    }
    return [f"{rule}: {why}" for rule, (pattern, why) in rules.items() if re.search(pattern, text)]


def shipped() -> list[Path]:
    """The files of deploy/nginx that nginx reads."""
    return tree("deploy/nginx/*.conf", "deploy/nginx/*.template")


def test_the_files_are_found() -> None:
    assert {"nginx.conf", "vote.conf.template", "proxy.conf"} <= {path.name for path in shipped()}


def test_nginx_finds_nothing(render: Render) -> None:
    assert nginx(render()) == []


def test_gixy_finds_nothing(render: Render) -> None:
    assert gixy(render(), skips=SKIPS) == []


def test_the_files_keep_our_rules() -> None:
    assert unlike_ours(shipped()) == []


def test_the_block_of_the_seed_is_refused(tmp_path: Path) -> None:
    main = tmp_path / "nginx.conf"
    main.write_text(f"pid {tmp_path}/pid; events {{}}\nhttp {{\n{SEED.read_text('utf-8')}\n}}\n", "utf-8")

    assert any("host not found in upstream" in line or "cannot load certificate" in line for line in nginx(main))
    assert {"stale_dns_cache", "version_disclosure"} <= {line.split()[0] for line in gixy(main, skips=SKIPS)}
    assert {line.partition(":")[0] for line in unlike_ours([main])} == {"forwarded", "ciphers"}


FOR_NGINX = {
    'unknown directive "http2"': Fault(TEMPLATE, "listen 443 ssl http2;", "listen 443 ssl; http2 on;"),
    'unexpected "{"': Fault("nginx.conf", "server_tokens off;", "server_tokens off; {"),
    "No such file": Fault("nginx.conf", "snippets/tls.conf", "snippets/tsl.conf"),
    'unknown "connection_to_wep" variable': Fault(TEMPLATE, "$connection_to_web", "$connection_to_wep"),
    "is duplicate": Fault("nginx.conf", "server_tokens off;", "server_tokens off; server_tokens off;"),
    "cannot load certificate": Fault(TEMPLATE, "current/fullchain.pem", "current/chain.pem"),
    "host not found in upstream": Fault(TEMPLATE, "proxy_pass http://web;", "proxy_pass http://wep.invalid;"),
}


@pytest.mark.parametrize("message", FOR_NGINX)
def test_a_fault_planted_for_nginx_is_found(render: Render, message: str) -> None:
    assert any(message in line for line in nginx(render(FOR_NGINX[message])))


FOR_GIXY = {
    "version_disclosure": Fault("nginx.conf", "server_tokens off;", "server_tokens on;"),
    "http_splitting": Fault(TEMPLATE, "https://${SERVER_NAME}$request_uri", "https://${SERVER_NAME}$uri"),
    "host_spoofing": Fault("snippets/proxy-headers.conf", "Host $host", "Host $http_host"),
    "add_header_redefinition": Fault(
        TEMPLATE,
        "    location / {\n        proxy_pass",
        "    location / {\n        add_header X-A b;\n        proxy_pass",
    ),
}


@pytest.mark.parametrize("rule", FOR_GIXY)
def test_a_fault_planted_for_gixy_is_found(render: Render, rule: str) -> None:
    assert rule in {line.split()[0] for line in gixy(render(FOR_GIXY[rule]), skips=SKIPS)}


FOR_OURS = {
    "forwarded": "proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;",
    "twice": "proxy_next_upstream error timeout non_idempotent;",
    "ciphers": "ssl_ciphers HIGH:!aNULL:!MD5;",
    "protocols": "ssl_protocols TLSv1 TLSv1.2;",
    "include": "include /etc/nginx/snippets/*.conf;",
}


@pytest.mark.parametrize("rule", FOR_OURS)
def test_a_fault_planted_for_our_rules_is_found(tmp_path: Path, rule: str) -> None:
    planted = tmp_path / "planted.conf"
    planted.write_text(FOR_OURS[rule], "utf-8")

    assert [line.partition(":")[0] for line in unlike_ours([*shipped(), planted])] == [rule]
