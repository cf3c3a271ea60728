"""Wraps every request: request id, log line, metrics, trace and common headers."""

import re
import time
from collections.abc import Iterable
from random import getrandbits
from typing import TYPE_CHECKING, Any

from seating.telemetry import metrics, tracing
from seating.web.request_log import RequestLog, facts_of
from seating.web.security_headers import add_common

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

_ACCEPTED_ID = re.compile(r"[A-Za-z0-9._-]{8,64}")


class RequestFrame:
    """WSGI middleware. Keeps a client's X-Request-Id if it is safe, and adds one to every response.

    With traces on, a request belongs to the trace that its traceparent names, and the response's traceresponse names
    its span (W3C Trace Context 2).
    """

    def __init__(self, app: "WSGIApplication", log: RequestLog) -> None:
        self._app = app
        self._log = log

    def __call__(self, environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        started = time.perf_counter()
        offered = environ.get("HTTP_X_REQUEST_ID")
        request_id = offered if offered and _ACCEPTED_ID.fullmatch(offered) else f"{getrandbits(64):016x}"
        environ["seating.request_id"] = request_id

        def respond(status: str, headers: list[tuple[str, str]], *exc_info: Any) -> Any:
            headers.append(("X-Request-Id", request_id))
            if span.traceparent:
                headers.append(("traceresponse", span.traceparent))
            add_common(headers)
            seconds = time.perf_counter() - started
            self._record(environ, int(status[:3]), seconds, span)
            return start_response(status, headers, *exc_info)

        # A WebSocket's request lasts as long as the socket: it has no span.
        is_socket = "HTTP_UPGRADE" in environ
        context = (environ.get("HTTP_TRACEPARENT"), environ.get("HTTP_TRACESTATE"))
        with tracing.NO_SPAN if is_socket else tracing.request(*context) as span:
            return self._app(environ, respond)

    def _record(self, environ: "WSGIEnvironment", status: int, seconds: float, span: tracing.Span) -> None:
        rule = getattr(environ.get("werkzeug.request"), "url_rule", None)
        # Not the address that was requested: each value of a label is a series that stays.
        route = rule.rule if rule else "unknown"
        method = environ["REQUEST_METHOD"] if rule else "any"
        metrics.count_request(route, method, str(status), seconds)
        facts = facts_of(environ)
        span.respond(method, route, status, facts)
        self._log.write(environ, route, status, seconds, span.trace_id, facts)
