"""Which call of the API counts where: for the account, for the network of a stranger, and nowhere when it was forged."""

from collections.abc import Callable, Iterator

import pytest

from tests.integration.clients import ApiClient, Browser
from vote import config
from vote.app import create_app
from vote.auth import create_jwt_token
from vote.config import Settings
from vote.db.users import Account
from vote.services.container import Services

BURST = 3


@pytest.fixture
def settings(environment: dict[str, str]) -> Settings:
    """A limit that a test can reach, and that does not fill again while it runs."""
    return config.load({**environment, "LIMIT_API_PER_S": str(BURST)})


@pytest.fixture
def services(settings: Settings) -> Iterator[Services]:
    """What the web needs, with a clock of limits that stands nearly still."""
    opened = Services.from_settings(settings)
    slow = opened.rate_limits._replace(api=opened.rate_limits.api._replace(interval_us=3600 * 1_000_000))
    object.__setattr__(opened, "rate_limits", slow)
    opened.start()
    yield opened
    opened.close()


def test_each_account_and_each_network_has_its_own(services: Services, make_user: Callable[..., Account]) -> None:
    app = create_app(services)
    stranger, (one, other) = (
        ApiClient(app),
        [ApiClient(app, create_jwt_token(make_user().id, secret=services.settings.jwt_secret)) for _ in range(2)],
    )

    assert [one.get("/api/me").status_code for _ in range(BURST + 1)] == [200] * BURST + [429]
    assert other.get("/api/me").status_code == 200
    told = [stranger.get("/api/competitions") for _ in range(BURST + 1)]
    assert [answer.status_code for answer in told] == [200] * BURST + [429]
    assert told[-1].content_type == "application/problem+json"
    assert int(told[-1].headers["Retry-After"]) > 0
    broken = ApiClient(app, "no-token")
    assert broken.get("/api/me").status_code == 429, "who cannot say who they are is a stranger"
    assert stranger.get("/").status_code == 200, "pages do not count"


def test_forged_calls_count_nowhere(services: Services, settings: Settings, make_user: Callable[..., Account]) -> None:
    account = make_user()
    browser = Browser(create_app(services))
    browser.be(account, settings)
    elsewhere = {"Sec-Fetch-Site": "cross-site", "Origin": "https://evil.example"}

    forged = [browser.send("/api/admin/competitions", {"name": "x"}, elsewhere).status_code for _ in range(20)]

    assert set(forged) == {403}
    assert [browser.get("/api/me").status_code for _ in range(BURST + 1)] == [200] * BURST + [429]
