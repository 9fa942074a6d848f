"""The Flask app: `create_app()`, and `app` for servers that load `vote.app:app`.

The front door (`asgi.py`) handles ballots, live results, static files and probes, and adds headers and access log to every
answer.
"""

from collections.abc import MutableMapping
from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit

from flask import Flask
from flask.templating import Environment
from werkzeug.routing import MapAdapter

from vote import config
from vote.identity.sessions import ABSOLUTE_S, SessionInterface, cookie_name
from vote.input_limits import BODY_MAX_BYTES
from vote.services.container import Services
from vote.web import assets, compression, errors, idempotency, request_context, request_guards, template_context
from vote.web.account.email_and_devices import own_login
from vote.web.account.login import accounts
from vote.web.account.mailed_links import recovery
from vote.web.account.page import account_page
from vote.web.admin.accounts import admin_accounts
from vote.web.admin.gaps import admin_gaps
from vote.web.admin.locks import locks
from vote.web.admin.outbox import outbox
from vote.web.api.accounts import people_api
from vote.web.api.competitions import api
from vote.web.api.gaps import gaps_api
from vote.web.api.managed_competitions import admin_api
from vote.web.api.me import me
from vote.web.api.openapi import openapi
from vote.web.api.receipts import receipts
from vote.web.dashboard.competition import competition_dashboard
from vote.web.dashboard.home import dashboard_home
from vote.web.dashboard.lifecycle_forms import lifecycle_forms
from vote.web.id_converter import IdConverter
from vote.web.pages.competitions import pages
from vote.web.request import Request

BLUEPRINTS = (
    pages,
    dashboard_home,
    competition_dashboard,
    lifecycle_forms,
    admin_gaps,
    admin_accounts,
    accounts,
    account_page,
    me,
    api,
    admin_api,
    gaps_api,
    people_api,
    locks,
    own_login,
    recovery,
    outbox,
    receipts,
    openapi,
)


class App(Flask):
    """Flask that builds absolute URLs, redirects too, from PUBLIC_URL if it is set: clients control the Host header."""

    def create_url_adapter(self, request: Any) -> MapAdapter | None:
        """Return the adapter that matches paths and builds URLs for a request."""
        adapter = super().create_url_adapter(request)
        public_url = self.extensions[request_context.EXTENSION].settings.public_url
        if adapter is not None and public_url:
            public = urlsplit(public_url)
            adapter.url_scheme, adapter.server_name = public.scheme, public.netloc
        return adapter


class Templates(Environment):
    """Flask's template environment with one table of globals for all templates. Each import of a macro compares these
    tables, and comparing ChainMaps took a fifth of the time to render a page.
    """

    def make_globals(self, d: MutableMapping[str, Any] | None) -> MutableMapping[str, Any]:
        """Return the shared globals, unless the template has its own."""
        return super().make_globals(d) if d else self.globals


def create_app(services: Services | None = None) -> Flask:
    """Create a Flask app on these services; without any, load the settings, create services and start them."""
    if services is None:
        services = Services.from_settings(config.load())
        services.start()
    settings = services.settings
    app = App("vote.web", static_folder=None)  # the front door serves those files
    app.request_class = Request
    app.jinja_environment = Templates
    app.session_interface = SessionInterface()
    app.config["SECRET_KEY"] = settings.flask_secret_key  # FLASK_SECRET_KEY
    app.config["SECRET_KEY_FALLBACKS"] = settings.flask_secret_keys[1:]
    app.config["SESSION_COOKIE_NAME"] = cookie_name(settings)  # __Host-session, where it is Secure
    app.config["SESSION_COOKIE_SECURE"] = settings.vote_cookie_secure  # True, unless VOTE_COOKIE_SECURE=off
    app.config["SESSION_COOKIE_HTTPONLY"] = True
    app.config["SESSION_COOKIE_SAMESITE"] = "Lax"
    app.config["PERMANENT_SESSION_LIFETIME"] = timedelta(seconds=ABSOLUTE_S)
    app.config["PREFERRED_URL_SCHEME"] = "https"
    app.config["MAX_CONTENT_LENGTH"] = BODY_MAX_BYTES
    app.json.sort_keys = False  # type: ignore[attr-defined]  # answers keep the order of their models
    app.extensions[request_context.EXTENSION] = services
    app.url_map.converters["id"] = IdConverter
    for blueprint in BLUEPRINTS:
        app.register_blueprint(blueprint)
    app.after_request(compression.compress)  # first registered, last to run
    assets.register(app, settings.static_url)
    template_context.register(app)
    request_guards.guard(app)
    idempotency.register(app)  # after the guards, so that their response hooks also mark repeated answers as private
    errors.register(app)
    return app


def __getattr__(name: str) -> Flask:
    """Create `app` when a server asks for it, so that importing this module connects to nothing."""
    if name == "app":
        globals()["app"] = made = create_app()
        return made
    raise AttributeError(name)
