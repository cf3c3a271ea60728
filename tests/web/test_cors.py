"""Which pages may read responses, and that nothing is said of it where it was not asked for."""

import re
from typing import cast

import pytest
from flask import Flask
from werkzeug.test import TestResponse

from seating.app import create_app
from seating.config import Settings
from seating.live.hub import Hub
from seating.services.services import Services
from seating.web import cors
from seating.web.security_headers import COMMON
from tests.system import PROJECT

SHOP = "https://shop.example"
PREFLIGHT = {"Origin": SHOP, "Access-Control-Request-Method": "POST"}
SAFELISTED = {"Cache-Control", "Content-Type", "Content-Length"}
NOT_FOR_PAGES = {"Access-Control-Allow-Origin", "Content-Encoding", "Vary"} | {name for name, _ in COMMON}


def app(cors_origins: str | None = None) -> Flask:
    settings = Settings(cors_origins=cors_origins)  # type: ignore[arg-type]
    return create_app(settings, cast("Services", None), cast("Hub", None))


OFF, ON = app(), app(f"{SHOP}, http://[::1]:8080")


def of_cors(answer: TestResponse) -> dict[str, str]:
    return {name: value for name, value in answer.headers if name.startswith("Access-Control-")}


@pytest.mark.parametrize("origin", [SHOP, "https://SHOP.example:443", "http://[::1]:8080"])
@pytest.mark.parametrize(("path", "status"), [("/", 200), ("/nowhere", 404), ("/api/v1/purchase", 405)])
def test_a_listed_page_may_read_every_response(origin: str, path: str, status: int) -> None:
    answer = ON.test_client().get(path, headers={"Origin": origin})
    assert answer.status_code == status
    assert of_cors(answer) == {
        "Access-Control-Allow-Origin": origin,
        "Access-Control-Expose-Headers": ", ".join(cors.EXPOSED_HEADERS),
    }
    assert answer.headers["Vary"] == "Origin"


@pytest.mark.parametrize(
    "origin",
    [None, "", "null", "http://shop.example", "https://shop.example.evil.example", "https://evil.example", "*"],
)
@pytest.mark.parametrize("method", ["GET", "OPTIONS"])
def test_another_page_may_not(origin: str | None, method: str) -> None:
    headers = {**PREFLIGHT, "Origin": origin} if origin is not None else {}
    answer = ON.test_client().open("/", method=method, headers=headers)
    assert answer.status_code == 200
    assert of_cors(answer) == {}
    assert answer.headers["Vary"] == "Origin"


@pytest.mark.parametrize("path", ["/api/v1/purchase", "/api/v1/events/demo/holds/a-token", "/nowhere"])
def test_a_preflight_is_answered(path: str) -> None:
    asked = {**PREFLIGHT, "Access-Control-Request-Headers": "idempotency-key,content-type"}
    answer = ON.test_client().options(path, headers=asked)
    assert (answer.status_code, answer.data, answer.headers["Vary"]) == (204, b"", "Origin")
    allowed = of_cors(answer)
    assert allowed["Access-Control-Allow-Origin"] == SHOP
    assert allowed["Access-Control-Allow-Methods"] == "GET, HEAD, POST, PATCH, DELETE"
    wanted = {"Authorization", "Content-Type", "Idempotency-Key", "If-None-Match", "Prefer"}
    assert wanted <= set(allowed["Access-Control-Allow-Headers"].split(", "))
    assert int(allowed["Access-Control-Max-Age"]) > 0
    assert "Access-Control-Allow-Credentials" not in allowed
    assert len(answer.headers["X-Request-Id"]) == 16


def test_options_without_a_preflight_is_flasks() -> None:
    answer = ON.test_client().options("/", headers={"Origin": SHOP})
    assert answer.status_code == 200
    assert answer.headers["Allow"]


def test_it_is_off_by_default() -> None:
    for method in ("GET", "OPTIONS"):
        answer = OFF.test_client().open("/", method=method, headers=PREFLIGHT)
        assert answer.status_code == 200
        assert of_cors(answer) == {}
        assert "Vary" not in answer.headers


def test_what_varies_already_varies_by_origin_too() -> None:
    answer = ON.test_client().get("/openapi.json", headers={"Origin": SHOP})
    assert answer.headers.getlist("Vary") == ["Accept-Encoding, Origin"]


def test_methods_are_those_of_the_routes() -> None:
    taken = {method for rule in OFF.url_map.iter_rules() for method in rule.methods or ()}
    assert taken - {"OPTIONS"} == set(cors.METHODS)


def test_request_headers_are_those_that_routes_read() -> None:
    document = OFF.test_client().get("/openapi.json").json
    documented = {
        parameter["name"]
        for methods in document["paths"].values()
        for operation in methods.values()
        for parameter in operation.get("parameters", ())
        if parameter["in"] == "header"
    }
    assert documented
    assert documented <= set(cors.REQUEST_HEADERS)


def test_headers_that_views_send_can_be_read() -> None:
    sources = "".join(path.read_text() for path in (PROJECT / "seating" / "web").glob("*.py"))
    sent = set(re.findall(r'headers(?:\[|\.add\(|\.append\(\()"([A-Za-z-]+)"', sources))
    assert {"Retry-After", "RateLimit", "X-Cache", "Position"} <= sent
    assert sent - NOT_FOR_PAGES - SAFELISTED <= set(cors.EXPOSED_HEADERS)
    assert {"ETag", "Link", "Location"} <= set(cors.EXPOSED_HEADERS)
