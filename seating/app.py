"""The WSGI application: routes, errors, and the frame around every request."""

from functools import cache

from flask import Response, jsonify, redirect
from flask_openapi3 import Info, License, SecurityScheme, Server
from werkzeug.wrappers import Response as BaseResponse

from seating import __version__
from seating.config import Settings
from seating.live.hub import Hub
from seating.services.services import Services
from seating.web import (
    api_document,
    audit,
    books,
    caches,
    catalogue,
    drafts,
    errors,
    events,
    holds,
    live,
    operations,
    organiser,
    pages,
    plans,
    probes,
    purchases,
    quarantine,
    recovery,
    seats,
    security_headers,
    users,
    webhooks,
)
from seating.web.application import Application
from seating.web.callers import Access, open_to
from seating.web.cors import CrossOrigin
from seating.web.request_frame import RequestFrame
from seating.web.request_log import RequestLog
from seating.web.schemas import Problem
from seating.web.services import attach, attach_operations


def create_app(settings: Settings, services: Services, hub: Hub) -> Application:
    """Create the application. The process must be patched by gevent: clients wait for Redis as greenlets."""
    return equipped(routed_app(), settings, services, hub)


def routed_app() -> Application:
    """Build all routes and their descriptions, which is most of the work and the same for all settings."""
    app = _documented_app()
    errors.register(app)
    drafts.register(app)
    live.register(app)
    sale = (purchases.api, holds.api, seats.api, organiser.api, events.api, plans.api, live.api, quarantine.api)
    operators = (books.api, recovery.api, audit.api, webhooks.api)
    for blueprint in (*sale, *operators, users.api, caches.api, catalogue.api, operations.api, probes.api):
        app.register_api(blueprint)
    app.register_blueprint(pages.pages)
    _serve_document(app)
    security_headers.register(app)
    return app


def equipped(app: Application, settings: Settings, services: Services, hub: Hub) -> Application:
    """Give the views what they work with, and frame the application."""
    attach(app, settings, services, hub)
    live.attach(app, settings)
    inner = CrossOrigin(app.wsgi_app, settings.cors_origins) if settings.cors_origins else app.wsgi_app
    # The outermost, so that preflights, which CrossOrigin answers by itself, are logged and counted too.
    app.wsgi_app = RequestFrame(inner, RequestLog(settings))  # type: ignore[method-assign]
    attach_operations(app, _operations_app(settings, services, hub))
    return app


def _documented_app() -> Application:
    app = Application(
        "seating",
        info=Info(
            title="seating",
            version=__version__,
            description=api_document.DESCRIPTION,
            license=License(name="MIT", identifier="MIT"),
        ),
        servers=[Server(url="/")],
        security_schemes={"key": SecurityScheme(type="http", scheme="bearer")},
        # The framework adds this response; the completed document describes it differently.
        validation_error_status=500,
        validation_error_model=Problem,
        doc_prefix="/docs",
        static_folder=None,
    )
    # Do not redirect an address with a doubled slash: it does not exist, and a redirect would be an HTML page.
    app.url_map.merge_slashes = False
    # Otherwise Swagger's page loads a badge from its makers' server.
    app.config["SWAGGER_CONFIG"] = {"validatorUrl": None}
    return app


def _serve_document(app: Application) -> None:
    """Add the routes of the OpenAPI document, which describes all routes of `app`, and of its pages."""

    @cache
    def document() -> pages.StaticFile:
        return pages.StaticFile.of(jsonify(app.api_doc).get_data(), ".json")

    @app.route("/openapi.json")
    def openapi() -> Response:
        """Serve the document. It is built once and never changes."""
        return pages.render_file(document())

    @app.route("/docs")
    @open_to(Access.ANYBODY)
    def docs() -> BaseResponse:
        """Redirect by path: Flask's own redirect names this server's scheme, which may differ behind a TLS proxy."""
        return redirect("/docs/", 308)


def _operations_app(settings: Settings, services: Services, hub: Hub) -> Application:
    """Return the application of the operations port: the probes only."""
    app = Application("seating", doc_ui=False, static_folder=None)
    attach(app, settings, services, hub)
    errors.register(app)
    app.register_api(probes.api)
    app.wsgi_app = RequestFrame(app.wsgi_app, RequestLog(settings))  # type: ignore[method-assign]
    return app
