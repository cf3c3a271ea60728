"""Cross-origin requests (CORS, the Fetch standard): which pages may read the responses.

Flask-CORS takes an IPv6 origin for a regular expression, and compares strings rather than origins.
"""

from collections.abc import Iterable, Set
from typing import TYPE_CHECKING, Any, Final

from seating.domain.origin import Origin

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

METHODS: Final = ("GET", "HEAD", "POST", "PATCH", "DELETE")
REQUEST_HEADERS: Final = (
    "Authorization",
    "Content-Type",
    "Idempotency-Key",
    "If-None-Match",
    "Prefer",
    "traceparent",
    "tracestate",
    "X-Request-Id",
)
EXPOSED_HEADERS: Final = (
    "Allow",
    "Date",
    "ETag",
    "Idempotent-Replayed",
    "Instance",
    "Link",
    "Location",
    "Position",
    "Preference-Applied",
    "RateLimit",
    "RateLimit-Policy",
    "Retry-After",
    "traceresponse",
    "WWW-Authenticate",
    "X-Cache",
    "X-Request-Id",
)
_MAX_AGE_S: Final = 7200
"""The maximum that Chromium accepts."""

_PREFLIGHT: Final = [
    ("Access-Control-Allow-Methods", ", ".join(METHODS)),
    ("Access-Control-Allow-Headers", ", ".join(REQUEST_HEADERS)),
    ("Access-Control-Max-Age", str(_MAX_AGE_S)),
]
_ALLOW: Final = "Access-Control-Allow-Origin"
_EXPOSED: Final = ("Access-Control-Expose-Headers", ", ".join(EXPOSED_HEADERS))


class CrossOrigin:
    """WSGI middleware that lets pages of `origins` read every response, errors included, and answers their preflights.

    Credentials are never allowed: no route reads cookies, and pages send tokens explicitly.
    """

    def __init__(self, app: "WSGIApplication", origins: Set[Origin]) -> None:
        self._app = app
        self._origins = origins

    def __call__(self, environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        origin = environ.get("HTTP_ORIGIN", "")
        allowed = self._is_listed(origin)

        def respond(status: str, headers: list[tuple[str, str]], *exc_info: Any) -> Any:
            # Also where no origin is allowed: a cache must not serve that response to a listed page.
            _vary_by_origin(headers)
            if allowed and _ALLOW not in (name for name, _ in headers):  # Some files are for pages of any origin.
                headers += ((_ALLOW, origin), _EXPOSED)
            return start_response(status, headers, *exc_info)

        if allowed and environ["REQUEST_METHOD"] == "OPTIONS" and "HTTP_ACCESS_CONTROL_REQUEST_METHOD" in environ:
            respond("204 No Content", [*_PREFLIGHT])
            return []
        return self._app(environ, respond)

    def _is_listed(self, text: str) -> bool:
        if not text:
            return False
        try:
            return Origin.parse(text) in self._origins
        except ValueError:
            return False


def _vary_by_origin(headers: list[tuple[str, str]]) -> None:
    """Add Vary: Origin, so that caches do not serve one origin's response to another."""
    for number, (name, value) in enumerate(headers):
        if name == "Vary":
            headers[number] = ("Vary", f"{value}, Origin")
            return
    headers.append(("Vary", "Origin"))
