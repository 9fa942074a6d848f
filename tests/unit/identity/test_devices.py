"""Names devices by the User-Agent that browsers send."""

import pytest

from vote.identity.devices import name_of

PHONE = "Mozilla/5.0 (iPhone; CPU iPhone OS 18_1 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko)"
MAC = "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7)"
LINUX = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko)"


@pytest.mark.parametrize(
    ("user_agent", "name"),
    [
        (f"{PHONE} Version/18.1 Mobile/15E148 Safari/604.1", "Safari on an iPhone"),
        (f"{PHONE} CriOS/131.0.6778.73 Mobile/15E148 Safari/604.1", "Chrome on an iPhone"),
        (f"{PHONE} FxiOS/133.0 Mobile/15E148 Safari/605.1.15", "Firefox on an iPhone"),
        (f"{PHONE} Version/18.0 EdgiOS/131.0.2903.68 Mobile/15E148 Safari/604.1", "Edge on an iPhone"),
        (f"{MAC} AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.1 Safari/605.1.15", "Safari on a Mac"),
        (f"{LINUX} Chrome/131.0.0.0 Safari/537.36", "Chrome on Linux"),
        (f"{LINUX} Chrome/131.0.0.0 Safari/537.36 Edg/131.0.0.0", "Edge on Linux"),
        (f"{LINUX} Chrome/131.0.0.0 Safari/537.36 OPR/116.0.0.0", "Opera on Linux"),
        (f"{LINUX} HeadlessChrome/131.0.0.0 Safari/537.36", "Chrome on Linux"),
        ("Mozilla/5.0 (X11; Linux x86_64; rv:133.0) Gecko/20100101 Firefox/133.0", "Firefox on Linux"),
        ("curl/8.10.1", "A browser"),
    ],
)
def test_a_device_is_called_by_its_browser_and_its_system(user_agent: str, name: str) -> None:
    assert name_of(user_agent) == name
