"""The application's shorter way answers like Flask's own."""

from typing import Any

import pytest
from flask import Blueprint, Flask, Response, abort, g, request
from werkzeug.test import TestResponse

from seating.web.application import Application


def _with_routes(app: Flask) -> Flask:
    app.url_map.merge_slashes = False
    blueprint = Blueprint("guarded", __name__)

    @app.route("/plain")
    def plain() -> Response:
        return Response(request.host)

    @app.route("/folder/", methods=["GET", "POST"])
    def folder() -> str:
        return "text"

    @app.route("/items/<name>")
    def item(name: str) -> tuple[str, int]:
        return f"{name} {request.view_args} {request.args}", 202

    @app.route("/broken")
    def broken() -> str:
        abort(409)

    @app.route("/unexpected")
    def unexpected() -> str:
        raise LookupError

    @blueprint.before_request
    def refuse() -> str | None:
        g.guarded = True
        return "refused" if "refuse" in request.args else None

    @blueprint.get("/guarded")
    def guarded() -> str:
        return str(g.guarded)

    @app.after_request
    def sign(response: Response) -> Response:
        response.headers["Signed"] = str(request.endpoint)
        return response

    @app.errorhandler(LookupError)
    def missing(error: LookupError) -> Response:
        return Response("missing", 404)

    app.register_blueprint(blueprint)
    return app


@pytest.fixture(scope="module")
def apps() -> tuple[Flask, Flask]:
    return _with_routes(Flask("flask", static_folder=None)), _with_routes(Application("own", static_folder=None))


def _told(response: TestResponse) -> tuple[Any, ...]:
    return response.status, list(response.headers), response.data


@pytest.mark.parametrize("host", ["localhost", "tickets.test:8080", "not a host", "x" * 64, "", None])
@pytest.mark.parametrize("method", ["GET", "POST", "HEAD", "OPTIONS", "BREW"])
def test_answers_as_flask_does_again_and_again(apps: tuple[Flask, Flask], method: str, host: str | None) -> None:
    upgrade = {"Connection": "Upgrade", "Upgrade": "websocket"}
    paths = (
        "/plain",
        "/plain/",
        "//plain",
        "/folder",
        "/folder/",
        "/items/a%C3%A9?q=1",
        "/items/a%C3%A9?q=2",
        "/items/%ff",
    )
    paths += "/broken", "/unexpected", "/guarded", "/guarded?refuse", "/folder?q=1", "/folder?q=2", "", "/nowhere"
    for path in (*paths, *paths):
        for headers in ({}, upgrade):
            asked = {"path": path, "method": method, "headers": headers}
            if host is not None:
                asked["environ_overrides"] = {"HTTP_HOST": host}
            flask, own = (_told(app.test_client().open(**asked)) for app in apps)
            assert own == flask, (path, headers)
