"""What answers only to some networks: administration, figures, the reasons of /ready."""

import json
from collections.abc import Callable

import pytest
from flask import Flask

from tests.integration.asgi import Request, ask
from vote import config
from vote.app import create_app
from vote.auth import create_jwt_token
from vote.db.users import Account
from vote.services.container import Services
from vote.web import access

VPN, OUTSIDE, PROXY = "10.8.0.5", "203.0.113.7", "10.0.0.1"


def test_administration_is_exactly_what_needs_an_organiser_or_admin(app: Flask) -> None:
    rules = access.table_of(app)
    for url in app.url_map.iter_rules():
        is_administration = url.rule.startswith(("/admin", "/api/admin"))
        assert is_administration == (rules[url.endpoint] in (access.ORGANISER, access.ADMIN)), url.rule


@pytest.mark.parametrize(
    ("proxies", "client", "forwarded", "status"),
    [
        ("", VPN, None, 200),
        ("", OUTSIDE, None, 403),
        ("", OUTSIDE, VPN, 403),  # written by the client
        ("", "127.0.0.1", VPN, 403),
        ("", VPN, OUTSIDE, 403),  # a proxy in the VPN of which nobody told us
        (PROXY, PROXY, VPN, 200),
        (PROXY, PROXY, OUTSIDE, 403),
        (PROXY, PROXY, f"{VPN}, {OUTSIDE}", 403),
        (PROXY, PROXY, None, 403),
    ],
)
def test_administration_answers_only_to_its_networks(
    environment: dict[str, str],
    make_user: Callable[..., Account],
    proxies: str,
    client: str,
    forwarded: str | None,
    status: int,
) -> None:
    settings = config.load({**environment, "ADMIN_NETWORKS": "10.8.0.0/24", "TRUSTED_PROXIES": proxies})
    token = create_jwt_token(make_user(role="admin").id, secret=settings.jwt_secret)
    headers = {"Authorization": f"Bearer {token}"} | ({"X-Forwarded-For": forwarded} if forwarded else {})

    api, page, others = ask(
        settings,
        [Request("GET", path, headers, client=client) for path in ("/api/admin/gaps", "/admin", "/api/me")],
    )

    assert (api.status, page.status, others.status) == (status, status, 200)
    if status == 403:
        assert "The dashboard is not available from your network" in json.loads(api.body)["detail"]


def test_nobody_outside_learns_who_may_administer(environment: dict[str, str]) -> None:
    settings = config.load({**environment, "ADMIN_NETWORKS": "10.8.0.0/24"})
    forged = Request("POST", "/admin/competitions", {"Cookie": "session=x"}, client=OUTSIDE)
    unknown = Request("GET", "/api/admin/gaps", client=OUTSIDE)

    assert [answer.status for answer in ask(settings, [forged, unknown])] == [403, 403]


def test_without_the_setting_administration_answers_to_all(
    services: Services, make_user: Callable[..., Account]
) -> None:
    client = create_app(services).test_client()
    token = create_jwt_token(make_user(role="admin").id, secret=services.settings.jwt_secret)
    headers = {"Authorization": f"Bearer {token}", "X-Forwarded-For": VPN}

    assert client.get("/api/admin/gaps", headers=headers, environ_base={"REMOTE_ADDR": OUTSIDE}).status_code == 200


def test_strangers_get_no_figures_and_no_reasons(environment: dict[str, str]) -> None:
    relayed = {"X-Forwarded-For": "127.0.0.1"}
    asked = [("127.0.0.1", {}), ("::1", {}), (OUTSIDE, {}), (OUTSIDE, relayed), ("127.0.0.1", relayed)]
    settings = config.load(environment)

    figures = ask(settings, [Request("GET", "/metrics", headers, client=client) for client, headers in asked])
    ready = ask(settings, [Request("GET", "/ready", headers, client=client) for client, headers in asked])

    assert [answer.status for answer in figures] == [200, 200, 403, 403, 403]
    assert all(b"vote_requests_total" not in answer.body for answer in figures[2:])
    assert ["reasons" in json.loads(answer.body) for answer in ready] == [True, True, False, False, False]
    assert len({answer.status for answer in ready}) == 1, "whether it is ready is no secret"


def test_prometheus_is_let_in_by_its_network(environment: dict[str, str]) -> None:
    settings = config.load({**environment, "METRICS_NETWORKS": "10.42.0.0/16"})
    asked = [Request("GET", "/metrics", client=client) for client in ("10.42.3.9", "127.0.0.1")]

    assert [answer.status for answer in ask(settings, asked)] == [200, 403]
