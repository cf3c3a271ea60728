"""Headers that every response has, whatever it is and wherever it comes from."""

import pytest

from seating.web.security_headers import COMMON
from tests.system import Answer, System
from tests.web import exchange, get, table

JSON_POLICY = "default-src 'none'; frame-ancestors 'none'"


def common_of(answer: Answer) -> dict[str, str]:
    return {name: answer.headers.get(name, "") for name, _ in COMMON}


@pytest.mark.parametrize(
    ("request_bytes", "status"),
    table(
        {
            "a page of the API": (get("/"), 200),
            "figures": (get("/metrics", "Accept: text/plain"), 200),
            "an unknown address": (get("/nowhere"), 404),
            "a wrong method": (get("/api/v1/purchase"), 405),
            "a HEAD": (get("/health", method="HEAD"), 200),
            "an OPTIONS": (get("/", method="OPTIONS"), 200),
            "an operator's route": (get("/api/v1/losses", "Via: 1.1 proxy"), 401),
            "no feed": (get("/api/v1/events/demo/live"), 400),
            "a bad handshake": (get("/", "Upgrade: websocket", "Connection: Upgrade"), 400),
            "no HTTP": (b"hello\r\n\r\n", 400),
            "a long line": (get("/" + "a" * 5000), 414),
        }
    ),
)
def test_every_response_has_them(system: System, request_bytes: bytes, status: int) -> None:
    answer = exchange(system, request_bytes)
    assert answer.status == status
    assert common_of(answer) == dict(COMMON)


def test_a_purchase_has_them(system: System) -> None:
    answer = system.buy(1)
    assert answer.status == 200
    assert common_of(answer) == {
        "Cache-Control": "no-store",
        "Content-Security-Policy": JSON_POLICY,
        "Cross-Origin-Resource-Policy": "same-origin",
        "Referrer-Policy": "no-referrer",
        "X-Content-Type-Options": "nosniff",
        "X-Frame-Options": "DENY",
    }


@pytest.mark.parametrize(
    ("path", "cache_control"),
    [
        ("/seats", "no-cache"),
        ("/api/v1/events/demo/seats", "no-cache"),
        ("/openapi.json", "no-cache"),
        ("/api/v1/events/demo/plan", "public, max-age=86400, immutable"),
        ("/docs/swagger/css/swagger-ui.css", "no-cache"),
    ],
)
def test_what_may_be_kept_says_so_itself(system: System, path: str, cache_control: str) -> None:
    first = system.get(path)
    assert common_of(first) == dict(COMMON) | {"Cache-Control": cache_control}
    again = system.get(path, {"If-None-Match": first.headers["ETag"]})
    assert (again.status, again.headers["Cache-Control"]) == (304, cache_control)


@pytest.mark.parametrize("path", ["/docs/", "/docs/swagger"])
def test_documentation_may_load_its_own_files_only(system: System, path: str) -> None:
    answer = system.get(path)
    expected = dict(COMMON)
    policy = answer.headers["Content-Security-Policy"]
    assert common_of(answer) == expected | {"Content-Security-Policy": policy}
    rules = dict(rule.split(" ", 1) for rule in policy.split("; "))
    assert rules["default-src"] == rules["frame-ancestors"] == rules["base-uri"] == "'none'"
    assert "'unsafe-inline'" not in rules["script-src"]
    assert "'sha256-" in rules["script-src"]
    assert rules["connect-src"] == "'self'"
