"""A browser's manners without a browser: cookies, Sec-Fetch headers, forms. For what must hold without JavaScript."""

import re
from collections.abc import Mapping
from urllib.parse import urlencode

from tests.stack import Answer, Stack

FORM = "application/x-www-form-urlencoded"


def csrf_token(page: Answer) -> str:
    """The token in the page's first form."""
    found = re.search(rb'name="csrf_token"[^>]*value="([^"]+)"', page.body)
    assert found, page.body[:2000]
    return found[1].decode()


class Browser:
    """Keeps cookies, sends what browsers send."""

    def __init__(self, stack: Stack) -> None:
        self._stack = stack
        self.cookies: dict[str, str] = {}

    def get(self, path: str, headers: Mapping[str, str] | None = None) -> Answer:
        return self._request("GET", path, None, headers)

    def post(self, path: str, fields: Mapping[str, str], headers: Mapping[str, str] | None = None) -> Answer:
        return self._request("POST", path, urlencode(fields).encode(), headers)

    def log_in(self, username: str, password: str) -> None:
        """Through the page, as a person does."""
        fields = {"csrf_token": csrf_token(self.get("/login")), "username": username, "password": password}
        told = self.post("/login", fields)
        assert told.status == 303, told

    def _request(self, method: str, path: str, body: bytes | None, headers: Mapping[str, str] | None) -> Answer:
        sent = {"Sec-Fetch-Site": "same-origin", "Sec-Fetch-Mode": "navigate", "Accept": "text/html", **(headers or {})}
        if self.cookies:
            sent["Cookie"] = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        told = self._stack.request(method, path, body=body, content_type=FORM, headers=sent)
        for header, value in told.headers.items():
            if header.lower() == "set-cookie":
                name, _, rest = value.partition("=")
                self.cookies[name] = rest.partition(";")[0]
        return told
