"""The pages for people and their files: what is served, to whom, and under which policy."""

import gzip
import re
from pathlib import Path
from typing import Any, cast

import pytest
from werkzeug.test import TestResponse

from seating.app import create_app
from seating.config import Settings
from seating.live.hub import Hub
from seating.services.services import Services
from seating.web.security_headers import COMMON

STATIC = Path(__file__).parents[2] / "seating" / "static"
BROWSER = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"
FILES = sorted(path.relative_to(STATIC).as_posix() for path in STATIC.rglob("*") if path.is_file())

APP = create_app(
    Settings(default_event="gala", cors_origins="https://shop.example"),  # type: ignore[arg-type]
    cast("Services", None),
    cast("Hub", None),
)


def ask(path: str, **headers: str) -> TestResponse:
    sent = {name.replace("_", "-"): value for name, value in headers.items()}
    return APP.test_client().get(path, headers={"Host": "tickets.example:8080", **sent})


@pytest.mark.parametrize("accept", [None, "*/*", "application/json", "application/json, text/html", "text/plain"])
def test_programs_get_the_description_of_the_service(accept: str | None) -> None:
    answer = ask("/", **({"Accept": accept} if accept else {}))
    assert (answer.status_code, answer.mimetype) == (200, "application/json")


def test_browsers_get_the_page_of_the_default_event() -> None:
    answer = ask("/", Accept=BROWSER)
    assert (answer.status_code, answer.headers["Content-Type"]) == (200, "text/html; charset=utf-8")
    assert 'data-event="gala"' in answer.text
    assert {"Accept", "Accept-Encoding"} <= {*answer.headers["Vary"].split(", ")}
    assert 'data-event="the-other"' in ask("/events/the-other", Accept=BROWSER).text


def test_the_page_of_an_event_names_its_modules() -> None:
    """Browsers then load all of them at once; none is of another page, and each is imported by one of them."""
    named = re.findall(r'rel="modulepreload" href="/static/([^"]+)"', ask("/", Accept=BROWSER).text)
    assert {"seating-map.js", "map/choice.js", "buyer/page.js"} <= {*named} < {*FILES}
    texts = {name: (STATIC / name).read_text() for name in named}
    for name in {*named} - {"buyer/page.js"}:
        assert any(f"/{name.rpartition('/')[2]}'" in text for text in texts.values()), name
    assert not any(name.startswith(("control/", "vendor/")) for name in named)


@pytest.mark.parametrize("path", ["/", "/events/gala", "/control"])
def test_pages_run_nothing_but_their_own_files(path: str) -> None:
    answer = ask(path, Accept=BROWSER)
    rules = dict(rule.split(" ", 1) for rule in answer.headers["Content-Security-Policy"].split("; "))
    assert rules == {
        "default-src": "'none'",
        "script-src": "'self'",
        "style-src": "'self'",
        "img-src": "'self' data:",
        "connect-src": "'self' ws://tickets.example:8080 wss://tickets.example:8080",
        "base-uri": "'none'",
        "form-action": "'none'",
        "frame-ancestors": "'none'",
    }
    expected = {**dict(COMMON), "Cache-Control": "no-cache"}
    del expected["Content-Security-Policy"]
    assert {name: answer.headers[name] for name in expected} == expected


def test_a_host_cannot_add_to_the_policy() -> None:
    policy = ask("/control", Host="a; script-src *").headers["Content-Security-Policy"]
    assert "connect-src 'self';" in policy


@pytest.mark.parametrize("path", ["/events/Not an id", "/events/a/b", "/events/"])
def test_what_can_be_no_event_has_no_page(path: str) -> None:
    answer = ask(path, Accept=BROWSER)
    assert (answer.status_code, answer.mimetype) == (404, "application/problem+json")


@pytest.mark.parametrize("name", FILES)
def test_files_are_served_whole_compressed_and_not_again(name: str) -> None:
    body = (STATIC / name).read_bytes()
    plain = ask(f"/static/{name}")
    assert (plain.status_code, plain.data) == (200, body)
    assert plain.headers["Content-Length"] == str(len(body))
    compressed = ask(f"/static/{name}", Accept_Encoding="gzip")
    if compressed.headers.get("Content-Encoding") == "gzip":
        assert gzip.decompress(compressed.data) == body
    assert compressed.headers["Vary"].startswith("Accept-Encoding")
    again = ask(f"/static/{name}", If_None_Match=plain.headers["ETag"])
    assert (again.status_code, again.data) == (304, b"")
    expected = "public, max-age=31536000, immutable" if name.startswith("vendor/") else "no-cache"
    assert plain.headers["Cache-Control"] == again.headers["Cache-Control"] == expected


@pytest.mark.parametrize("name", [name for name in FILES if name.endswith((".js", ".css", ".ts"))])
@pytest.mark.parametrize("origin", ["https://shop.example", "https://anyone.example"])
def test_pages_of_any_origin_may_load_what_shops_embed(name: str, origin: str) -> None:
    answer = ask(f"/static/{name}", Origin=origin)
    assert answer.headers.getlist("Access-Control-Allow-Origin") == ["*"]
    assert answer.headers["Cross-Origin-Resource-Policy"] == "cross-origin"
    assert answer.mimetype == {"js": "text/javascript", "css": "text/css", "ts": "text/plain"}[name.rpartition(".")[2]]


@pytest.mark.parametrize(
    "name", ["", "../app.py", "..%2fapp.py", "%2e%2e/app.py", "pages/../../app.py", "pages", "/etc/passwd", "none.js"]
)
def test_nothing_else_is_a_file(name: str) -> None:
    answer: Any = ask(f"/static/{name}")
    assert (answer.status_code, answer.mimetype) == (404, "application/problem+json")
