"""Traces by OpenTelemetry, exported to an OTLP/HTTP receiver. `tracing` imports this only if traces are on."""

import os
import random
import socket
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextvars import Token
from types import TracebackType
from typing import Any, Final, TypeVar

from opentelemetry import context as current
from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import SpanLimits, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF, ALWAYS_ON, ParentBasedTraceIdRatio, Sampler, SamplingResult
from opentelemetry.trace import Link, SpanKind, Status, StatusCode
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from seating.telemetry.tracing import NO_SPAN, Span

_T = TypeVar("_T")
_MOST_LINKS: Final = 500
"""As many entries as are recorded in one batch."""
_MOST_WAITING: Final = 2_048
"""Spans that wait for export. Further ones are dropped, with a warning."""
_EXPORTED_AT_ONCE: Final = 128
"""Encoding them takes a few ms, in which a web process serves nobody."""
_EXPORT_EVERY_MS: Final = 1_000
_EXPORT_WITHIN_S: Final = 5
_STOP_WITHIN_S: Final = 3
_LONGEST_TRACESTATE: Final = 512
"""Characters, as W3C Trace Context requires at least."""

_propagator: Final = TraceContextTextMapPropagator()


class Tracer:
    """Creates the spans of one process. `part` names it: web or worker."""

    def __init__(self, endpoint: str, share: float, part: str) -> None:
        self._exporter = OTLPSpanExporter(f"{endpoint.rstrip('/')}/v1/traces", timeout=_EXPORT_WITHIN_S)
        # An attribute that is given here takes precedence over the variable.
        named = {} if os.environ.get("OTEL_SERVICE_NAME") else {"service.name": f"seating-{part}"}
        self._provider = TracerProvider(
            sampler=_Sampler(share),
            resource=Resource.create({**named, "host.name": socket.gethostname(), "process.pid": os.getpid()}),
            span_limits=SpanLimits(max_links=_MOST_LINKS),
            shutdown_on_exit=False,  # It may wait for half a minute.
        )
        # Its thread is a greenlet where gevent has patched threads.
        self._provider.add_span_processor(
            BatchSpanProcessor(
                self._exporter,
                max_queue_size=_MOST_WAITING,
                schedule_delay_millis=_EXPORT_EVERY_MS,
                max_export_batch_size=_EXPORTED_AT_ONCE,
            )
        )
        self._tracer = self._provider.get_tracer("seating")

    def stop(self) -> None:
        stopping = threading.Thread(target=self._provider.shutdown, daemon=True)
        stopping.start()
        stopping.join(_STOP_WITHIN_S)
        # The thread may still be between two attempts to export: this ends them.
        self._exporter.shutdown()  # type: ignore[no-untyped-call]

    def request(self, traceparent: str, tracestate: str) -> Span:
        offered = {"traceparent": traceparent}
        if 0 < len(tracestate) <= _LONGEST_TRACESTATE:
            offered["tracestate"] = tracestate
        parent = _propagator.extract(offered, Context()) if traceparent else Context()
        return _Span(self._tracer.start_span("request", parent, SpanKind.SERVER))

    def call(self, system: str, operation: str) -> Span:
        if not trace.get_current_span().get_span_context().is_valid:
            return NO_SPAN
        attributes = {"peer.service": system, "seating.operation": operation}
        return _Span(self._tracer.start_span(f"{system} {operation}", None, SpanKind.CLIENT, attributes))

    def batch(self, event_id: str, links: Iterable[str]) -> Span:
        found = [Link(_span_context(traceparent)) for traceparent in links]
        if not found:
            return NO_SPAN
        attributes = {"seating.event_id": event_id}
        return _Span(self._tracer.start_span("record entries", Context(), SpanKind.CONSUMER, attributes, found))

    @staticmethod
    def carried(work: Callable[..., _T]) -> Callable[..., _T]:
        here = current.get_current()

        def run(*arguments: Any) -> _T:
            token = current.attach(here)
            try:
                return work(*arguments)
            finally:
                current.detach(token)

        return run


class _Span:
    """Implements `tracing.Span`."""

    __slots__ = ("_context", "_span", "_token")

    def __init__(self, span: trace.Span) -> None:
        self._span = span
        self._context = span.get_span_context()
        self._token: Token[Context] | None = None

    @property
    def trace_id(self) -> str:
        return trace.format_trace_id(self._context.trace_id)

    @property
    def traceparent(self) -> str:
        return f"00-{self.trace_id}-{trace.format_span_id(self._context.span_id)}-{self._context.trace_flags:02x}"

    @property
    def link(self) -> str:
        return self.traceparent if self._context.trace_flags.sampled else ""

    def headers(self) -> dict[str, str]:
        carrier: dict[str, str] = {}
        _propagator.inject(carrier, trace.set_span_in_context(self._span))
        return carrier

    def respond(self, method: str, route: str, status: int, facts: Mapping[str, Any]) -> None:
        if not self._span.is_recording():
            return
        self._span.update_name(f"{method} {route}")
        said: dict[str, Any] = {"http.request.method": method, "http.route": route, "http.response.status_code": status}
        self._span.set_attributes(said | {f"seating.{name}": value for name, value in facts.items()})
        # By OpenTelemetry's conventions for HTTP, 4xx is no error of the server's span.
        if status >= 500:
            self._span.set_status(Status(StatusCode.ERROR))

    def __enter__(self) -> "_Span":
        self._token = current.attach(trace.set_span_in_context(self._span))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        if self._token:
            current.detach(self._token)
        if kind:
            self._span.set_status(Status(StatusCode.ERROR))
            self._span.set_attribute("error.type", kind.__name__)  # Its message may have personal data.
        self._span.end()


class _Sampler(Sampler):
    """Records a share of the traces, and everything that has links.

    Of the traces that a caller asks to be recorded it is the same share, by chance: strangers choose their ids.
    """

    def __init__(self, share: float) -> None:
        self._share = share
        self._by_parent = ParentBasedTraceIdRatio(share)

    def should_sample(
        self,
        parent_context: Context | None,
        trace_id: int,
        name: str,
        kind: SpanKind | None = None,
        attributes: Any = None,
        links: Sequence[Link] | None = None,
        trace_state: Any = None,
    ) -> SamplingResult:
        parent = trace.get_current_span(parent_context).get_span_context()
        sampler = ALWAYS_ON if links else self._by_parent
        if parent.is_remote and random.random() >= self._share:
            sampler = ALWAYS_OFF
        return sampler.should_sample(parent_context, trace_id, name, kind, attributes, links, trace_state)

    def get_description(self) -> str:
        return "seating"


def _span_context(traceparent: str) -> trace.SpanContext:
    return trace.get_current_span(_propagator.extract({"traceparent": traceparent}, Context())).get_span_context()
