"""What can be read out of the shipped files: parts by their full names, one variable, the same limits as the web's."""

import contextlib
import re
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.deploy.nginx import checks_of_answers as answers
from tests.deploy.nginx import checks_of_requests as requests
from tests.deploy.nginx import checks_of_tls as tls
from tests.deploy.nginx.authority import WebAuthority
from tests.deploy.nginx.clients import BROWSER
from tests.deploy.nginx.front import Front, client_of, front_of
from tests.deploy.nginx.recording_web import answer
from tests.deploy.nginx.site import NAME, SHIPPED, Fault, Site, temporary_folder
from vote import input_limits
from vote.server.security_headers import HSTS_SECONDS

FILES = [SHIPPED / "nginx.conf", *sorted(SHIPPED.glob("*/*.conf")), SHIPPED / "templates/vote.conf.template"]

# The block of the document that this installation follows, word for word; the controls of the checks.
SEED = """server {
    listen 443 ssl http2;
    server_name ${SERVER_NAME};

    ssl_certificate /etc/letsencrypt/current/fullchain.pem;
    ssl_certificate_key /etc/letsencrypt/current/privkey.pem;

    # SSL best practices
    ssl_protocols TLSv1.2 TLSv1.3;
    ssl_ciphers HIGH:!aNULL:!MD5;
    ssl_prefer_server_ciphers on;

    location / {
        proxy_pass http://web;
        proxy_set_header Host $host;
        proxy_set_header X-Real-IP $remote_addr;
        proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
        proxy_set_header X-Forwarded-Proto $scheme;
    }
}
server {
    listen 80 default_server;
    server_name ${SERVER_NAME};
    return 301 https://$server_name$request_uri;
}
"""
CONTROLS = (
    requests.forwarding_headers_are_ours,
    requests.what_is_inside_stays_inside,
    requests.bodies_are_limited,
    requests.only_logins_are_limited,
    requests.other_names_are_refused,
    answers.plain_http_leads_to_https,
    answers.every_answer_has_the_headers,
    answers.static_files_are_kept_by_coding,
    answers.no_web_means_the_maintenance_page,
    tls.sslyze_finds_it_compliant,
)


def test_each_part_is_included_by_its_full_name_and_each_file_is_a_part() -> None:
    included = {
        name for path in FILES for name in re.findall(r"^\s*include (\S+);", path.read_text("utf-8"), re.MULTILINE)
    }

    shipped = {f"/etc/nginx/{path.relative_to(SHIPPED)}" for path in FILES[1:-1]} | {"/etc/nginx/conf.d/vote.conf"}
    assert included == shipped


def test_the_commands_for_a_debian_host_put_each_part_in_its_place(tmp_path: Path) -> None:
    """Those of README.md, run with another root; what needs the machine itself is left out."""
    block = re.search(r"## On a Debian host\n\n```sh\n(.*?)```", (SHIPPED / "README.md").read_text("utf-8"), re.DOTALL)
    assert block is not None
    lines = [line for line in block[1].splitlines() if not re.match(r"apt-get|systemctl|\./certificate|nginx", line)]
    (tmp_path / "etc/nginx/conf.d").mkdir(parents=True)
    command = re.sub(r"(?<![\w.])/(?=etc|var)", f"{tmp_path}/", "\n".join(lines))

    subprocess.run(["sh", "-eu", "-c", command], cwd=SHIPPED, check=True)

    parts = [
        name for path in FILES for name in re.findall(r"^\s*include (\S+);", path.read_text("utf-8"), re.MULTILINE)
    ]
    assert [name for name in parts if not (tmp_path / name[1:]).is_file()] == []
    assert "server_name vote.example.org;" in (tmp_path / "etc/nginx/conf.d/vote.conf").read_text("utf-8")
    assert (tmp_path / "etc/nginx/pages/error.html").is_file()
    assert (tmp_path / "var/cache/nginx").is_dir()


def test_the_template_has_one_variable_of_the_environment() -> None:
    """The image's envsubst replaces every `$NAME` that the environment has: nginx's own names are in lower case."""
    used = re.findall(r"\$\{?([A-Za-z_]+)\}?", FILES[-1].read_text("utf-8"))

    assert {name for name in used if name.isupper()} == {"SERVER_NAME"}


def test_no_path_of_this_machine_is_left() -> None:
    """All that a test replaces is replaced, or it would try the machine's own nginx."""
    with temporary_folder() as folder:
        site = Site(folder, ["127.0.0.1:1", "127.0.0.1:2"])
        made = [site.conf, *site.etc.glob("snippets/*.conf"), *site.etc.glob("conf.d/*.conf")]
        left = [
            line
            for path in made
            for line in path.read_text("utf-8").splitlines()
            if re.search(r"\s/(etc|var|run)/", line)
        ]
    assert [line for line in left if not line.lstrip().startswith("#")] == []


def test_a_missing_part_stops_the_start(front: Front) -> None:
    front.site.web_file(2).unlink()

    tested = front.site.nginx("-t")

    assert tested.returncode != 0
    assert "web-2.conf" in tested.stderr
    assert front.client.get("/").status == 200  # what runs goes on


def test_the_configuration_has_no_warning(front: Front) -> None:
    tested = front.site.nginx("-t")

    said = [
        line for line in tested.stderr.splitlines() if "syntax is ok" not in line and "test is successful" not in line
    ]
    assert tested.returncode == 0
    assert said == []


def test_the_limits_are_the_webs() -> None:
    """A kind of body that the web takes and nginx does not know would be refused here, at 64 KiB."""
    kinds = {
        name: size
        for name, size in vars(input_limits).items()
        if re.fullmatch(r"(\w+_)?(BODY|VOTE|ROLL|PICTURE|UPLOAD)_MAX_BYTES", name)
    }
    site = FILES[-1].read_text("utf-8")

    shown = {int(size) * 1024 for size in re.findall(r"client_max_body_size (\d+)k;", site)}
    shown |= {int(size) * 1024**2 for size in re.findall(r"client_max_body_size (\d+)m;", site)}
    assert shown == set(kinds.values()), kinds
    assert f"max-age={HSTS_SECONDS}; includeSubDomains" in (SHIPPED / "snippets/hsts.conf").read_text("utf-8")


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2:"),
        ("2001:db8:1:2:3:4:5:7", "2001:db8:1:2:"),
        ("2001:db8:1:3:3:4:5:6", "2001:db8:1:3:"),
        ("2001:db8:1:2::1", "2001:db8:1:2::"),
        ("2001:db8::1", "2001:db8::"),
        ("::1", "::"),
        ("192.0.2.7", "the address"),
        ("::ffff:192.0.2.7", "the address"),
    ],
)
def test_an_ipv6_address_counts_by_its_network(authority: WebAuthority, address: str, network: str) -> None:
    """The shipped map, asked directly: only where the address comes from is replaced."""
    faults = (
        Fault("snippets/login-limit.conf", "map $remote_addr ", "map $arg_address "),
        Fault("snippets/login-limit.conf", "$binary_remote_addr", "'the address'"),
        Fault("snippets/login.conf", "proxy_pass http://web;", 'return 200 "$client_network";'),
    )
    with front_of(authority, *faults) as front:
        assert front.client.get(f"/login?address={address}").body.decode() == network


def test_four_capabilities_are_enough(authority: WebAuthority) -> None:
    """Those that README.md names: with them it starts, serves pages and challenges, reloads and ends."""
    with temporary_folder() as folder:
        site = Site(folder, ["127.0.0.1:1", "127.0.0.1:1"])
        site.rights = ["--bounding-set", "-all,+chown,+setuid,+setgid,+net_bind_service"]
        site.use(authority.issue(NAME))
        try:
            site.start()
            site.reload()
            assert client_of(site, authority.ca).get("/", BROWSER).status == 503
            assert {worker.username() for worker in site.workers()} == {"nobody"}
        finally:
            site.stop()


def test_the_health_check_of_the_container_answers(front: Front) -> None:
    command = ["curl", "--fail", "--silent", f"http://127.0.0.1:{front.site.health_port}/health"]
    for web in front.webs:
        web.vanish()  # a web that is away is no reason to end nginx

    assert subprocess.run(command, capture_output=True, check=True).stdout == b"ok\n"


def test_the_page_is_whole(front: Front) -> None:
    """No piece of its source is left in it, and none of what a client sent."""
    for web in front.webs:
        web.vanish()
    for path in ("/<script>x", "/ready?<script>x", "/vote/1?x=<script>x"):
        page = front.client.get(path.replace("<", "%3C"), {**BROWSER, "Cookie": "<script>x"}).body
        assert b"<!--#" not in page
        assert b"<script" not in page
        assert page.count(b"<h1>") == 1


@pytest.mark.parametrize("check", CONTROLS, ids=lambda check: check.__name__)
def test_the_documents_block_is_found_wanting(authority: WebAuthority, check: Callable[[Front], None]) -> None:
    """Each check finds fault with a configuration that does without what it checks."""
    whole = FILES[-1].read_text("utf-8")
    faults = (
        Fault("templates/vote.conf.template", whole, SEED),
        Fault("nginx.conf", "    include /etc/nginx/snippets/tls.conf;\n", ""),
    )
    with contextlib.ExitStack() as stack:
        front = stack.enter_context(front_of(authority, *faults))
        for web in front.webs:
            web.answer = lambda _seen: answer()
        with pytest.raises((AssertionError, OSError, pytest.fail.Exception)):
            check(front)
