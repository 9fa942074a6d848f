"""Somebody with a form on the screen, pressed again and again; and the app whose hasher counts what it looks at."""

import dataclasses
import re
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from html import unescape
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from tests.counting_hasher import RIGHT, CountingHasher
from tests.forms import Case, Press, World
from tests.integration.clients import Browser
from vote.app import create_app
from vote.config import Settings
from vote.db.pool import Database
from vote.db.users import Account
from vote.domain.competition import Competition
from vote.services.container import Services

MakeUser = Callable[..., Account]
MakeCompetition = Callable[..., Competition]

FORM = re.compile(r'<form[^>]*method="post" action="([^"]+)"[^>]*>(.*?)</form>', re.DOTALL)
HIDDEN = re.compile(r'<input type="hidden" name="(\w+)" value="([^"]*)"')


class Person:
    """A browser with one form on its screen, which can be pressed again and again."""

    def __init__(self, app: Flask, settings: Settings, press: Press) -> None:
        self.app, self.press, self.browser = app, press, Browser(app)
        if press.who is not None:
            self.browser.be(press.who, settings)
        page = self.browser.get(press.page).text
        found = dict(reversed(FORM.findall(page)))
        inputs = HIDDEN.findall(found.get(press.path) or next(iter(found.values())))
        hidden: dict[str, Any] = {name: unescape(value) for name, value in inputs}
        assert "idempotency_key" in hidden, "the form has no key"
        self.fields = hidden | press.fields | ({"sure": "yes"} if press.asks else {})
        self.before = self.cookies(self.browser.client)

    @staticmethod
    def cookies(client: FlaskClient) -> dict[str, str]:
        return {
            name: cookie.value
            for name in ("__Host-session", "__Host-device")
            if (cookie := client.get_cookie(name)) is not None
        }

    def send(self, *, as_before: bool = False, **changed: str) -> TestResponse:
        """Press the button: with the cookies of now, or with those of before the first answer came."""
        if as_before:
            self.browser = self.another()
        return self.browser.send(self.press.path, {**self.fields, **changed})

    def another(self) -> Browser:
        """The same browser as it was when the form was loaded."""
        fresh = Browser(self.app)
        for name, value in self.before.items():
            fresh.client.set_cookie(name, value, secure=True)
        return fresh

    def at_once(self, presses: int = 2) -> list[TestResponse]:
        """Several presses in the same moment, all before the first answer."""
        browsers, ready = [self.another() for _ in range(presses)], threading.Barrier(presses)

        def press(browser: Browser) -> TestResponse:
            ready.wait(timeout=10)
            return browser.send(self.press.path, self.fields)

        with ThreadPoolExecutor(presses) as pool:
            answers = list(pool.map(press, browsers))
        self.browser = browsers[-1]
        return answers

    @property
    def is_logged_in(self) -> bool:
        return self.browser.get("/api/me").status_code == 200


@pytest.fixture
def hasher() -> CountingHasher:
    return CountingHasher()


@pytest.fixture
def app(services: Services, hasher: CountingHasher) -> Flask:
    return create_app(dataclasses.replace(services, hasher=hasher))


@pytest.fixture
def world(owner: Database, make_user: MakeUser, make_competition: MakeCompetition) -> World:
    make_user(role="admin")
    return World(owner, make_user, make_competition, password=RIGHT)


@pytest.fixture
def person(app: Flask, settings: Settings, world: World) -> Callable[[Case], Person]:
    return lambda case: Person(app, settings, case(world))


def seen(answer: TestResponse) -> tuple[int, str | None, str]:
    """What a person sees of an answer."""
    said = re.sub(r'value="[0-9a-f]+"', "", answer.text) if answer.status_code != 303 else ""
    return answer.status_code, answer.location, said
