"""A receiver of traces (OTLP over HTTP), which is an event partner too and keeps the headers that it got."""

import gzip
from collections.abc import Iterable
from typing import Any, NamedTuple

import gevent
from gevent.pywsgi import WSGIServer
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)

_EVENT = b'{"id":"%s","name":"x"}'


class Seen(NamedTuple):
    """A span as it was exported; ids in hex, `parent` is "" for a first one. `service` is the process's."""

    service: str
    name: str
    trace: str
    span: str
    parent: str
    facts: dict[str, Any]
    links: list[tuple[str, str]]
    failed: bool


class Collector:
    """Serves in greenlets of the test's process, on a port of its own."""

    def __init__(self) -> None:
        self.spans: list[Seen] = []
        self.partner_headers: list[dict[str, str]] = []
        self.hangs = False
        self._server = WSGIServer(("127.0.0.1", 0), self._answer, log=None)
        self._server.start()
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def stop(self) -> None:
        self._server.stop()

    def named(self, name: str, trace: str = "") -> list[Seen]:
        return [span for span in self.spans if span.name == name and trace in ("", span.trace)]

    def _answer(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        if environ["PATH_INFO"] != "/v1/traces":
            return self._as_partner(environ, start_response)
        if self.hangs:
            gevent.sleep(600)
        body = environ["wsgi.input"].read()
        if environ.get("HTTP_CONTENT_ENCODING") == "gzip":
            body = gzip.decompress(body)
        self.spans += _spans(ExportTraceServiceRequest.FromString(body))
        start_response("200 OK", [("Content-Type", "application/x-protobuf")])
        return [ExportTraceServiceResponse().SerializeToString()]

    def _as_partner(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        self.partner_headers.append({name: str(value) for name, value in environ.items() if name.startswith("HTTP_")})
        start_response("200 OK", [("Content-Type", "application/json")])
        _, call, *last = environ["PATH_INFO"].split("/")
        if call == "getUserById":
            return [b'{"id":"1","name":"Ada","events":["7","8"]}']
        if call == "getEventById":
            return [_EVENT % last[0].encode()]
        return [b"[]"]


def _spans(request: Any) -> Iterable[Seen]:
    for resource in request.resource_spans:
        service = _facts(resource.resource.attributes)["service.name"]
        for scope in resource.scope_spans:
            for span in scope.spans:
                yield Seen(
                    service,
                    span.name,
                    span.trace_id.hex(),
                    span.span_id.hex(),
                    span.parent_span_id.hex(),
                    _facts(span.attributes),
                    [(link.trace_id.hex(), link.span_id.hex()) for link in span.links],
                    span.status.code == 2,
                )


def _facts(attributes: Any) -> dict[str, Any]:
    return {one.key: getattr(one.value, one.value.WhichOneof("value")) for one in attributes}
