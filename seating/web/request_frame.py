"""Wraps every request: request id, log line, metrics and common headers."""

import re
import time
from collections.abc import Iterable
from random import getrandbits
from typing import TYPE_CHECKING, Any

import structlog

from seating.telemetry import metrics
from seating.web.security_headers import add_common

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

_ACCEPTED_ID = re.compile(r"[A-Za-z0-9._-]{8,64}")

_log = structlog.get_logger(__name__)


class RequestFrame:
    """WSGI middleware. Keeps a client's X-Request-Id if it is safe, and adds one to every response."""

    def __init__(self, app: "WSGIApplication") -> None:
        self._app = app

    def __call__(self, environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        started = time.perf_counter()
        offered = environ.get("HTTP_X_REQUEST_ID")
        request_id = offered if offered and _ACCEPTED_ID.fullmatch(offered) else f"{getrandbits(64):016x}"
        environ["seating.request_id"] = request_id

        def respond(status: str, headers: list[tuple[str, str]], *exc_info: Any) -> Any:
            headers.append(("X-Request-Id", request_id))
            add_common(headers)
            seconds = time.perf_counter() - started
            self._record(environ, status[:3], seconds)
            return start_response(status, headers, *exc_info)

        return self._app(environ, respond)

    @staticmethod
    def _record(environ: "WSGIEnvironment", status: str, seconds: float) -> None:
        rule = getattr(environ.get("werkzeug.request"), "url_rule", None)
        route = rule.rule if rule else "unknown"
        method = environ["REQUEST_METHOD"] if rule else "any"
        metrics.count_request(route, method, status, seconds)
        _log.info(
            "request",
            request_id=environ["seating.request_id"],
            method=environ["REQUEST_METHOD"],
            route=route,
            status=int(status),
            ms=round(seconds * 1000, 2),
        )
