"""Traces of requests and of what they lead to, if they are on. Off, each function here returns at once.

The context of a trace comes and goes as W3C Trace Context says: a `traceparent` names a trace and a span in it.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from importlib import util
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final, Protocol, TypeVar

if TYPE_CHECKING:
    from seating.telemetry.otlp import Tracer

_T = TypeVar("_T")
# Version ff and ids of zeros alone are invalid (W3C Trace Context).
_TRACEPARENT: Final = re.compile(r"(?!ff)[0-9a-f]{2}-(?!0{32})([0-9a-f]{32})-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}")
_NEEDED: Final = ("opentelemetry.sdk.trace", "opentelemetry.exporter.otlp.proto.http")


class Span(Protocol):
    """A step of a trace, while its `with` lasts. An exception that leaves it marks it as failed.

    `traceparent` is "" if traces are off. `link` is the traceparent to keep for spans that come later, "" if nobody
    would find this one, since it is not exported.
    """

    @property
    def trace_id(self) -> str: ...

    @property
    def traceparent(self) -> str: ...

    @property
    def link(self) -> str: ...

    def headers(self) -> dict[str, str]:
        """Return the headers that carry the trace on to another service."""

    def respond(self, method: str, route: str, status: int, facts: Mapping[str, Any]) -> None:
        """Describe the request, whose span this is, when its response is known."""

    def __enter__(self) -> "Span": ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...


class _NoSpan:
    """Traces are off, or this is not part of one. `trace_id` is that of a trace that others record."""

    __slots__ = ("trace_id",)

    traceparent = link = ""

    def __init__(self, trace_id: str = "") -> None:
        self.trace_id = trace_id

    def headers(self) -> dict[str, str]:
        return {}

    def respond(self, method: str, route: str, status: int, facts: Mapping[str, Any]) -> None:
        pass

    def __enter__(self) -> "_NoSpan":
        return self

    def __exit__(self, *_: object) -> None:
        pass


NO_SPAN: Final = _NoSpan()


class _Running:
    tracer: "Tracer | None" = None


def is_installed() -> bool:
    """Return whether the extra `tracing` is installed."""
    try:
        return all(util.find_spec(module) for module in _NEEDED)
    except ImportError:  # A package above it is missing.
        return False


def start(endpoint: str | None, share: float, part: str) -> None:
    """Export the spans of this process to an OTLP/HTTP receiver; does nothing without an endpoint.

    `share` of the traces that begin here are recorded. Call this after the process has forked.
    """
    if endpoint:
        from seating.telemetry.otlp import Tracer  # Imports OpenTelemetry, which may be missing.

        _Running.tracer = Tracer(endpoint, share, part)


def stop() -> None:
    """Export what is left, for a few seconds at most."""
    tracer, _Running.tracer = _Running.tracer, None
    if tracer:
        tracer.stop()


def request(traceparent: str | None, tracestate: str | None) -> Span:
    """Return the span of an HTTP request, which came with these headers."""
    offered = _TRACEPARENT.fullmatch(traceparent) if traceparent else None
    if _Running.tracer is None:
        return _NoSpan(offered[1]) if offered else NO_SPAN
    return _Running.tracer.request(offered[0] if offered else "", tracestate or "")


def call(system: str, operation: str) -> Span:
    """Return the span of a call to another system, if it is part of a trace."""
    return NO_SPAN if _Running.tracer is None else _Running.tracer.call(system, operation)


def batch(event_id: str, links: Iterable[str | None]) -> Span:
    """Return the span of recording entries, a trace of its own that links to theirs; none if they have no trace."""
    return NO_SPAN if _Running.tracer is None else _Running.tracer.batch(event_id, filter(None, links))


def carried(work: Callable[..., _T]) -> Callable[..., _T]:
    """Return `work` as part of the current trace in another greenlet too, which begins without one."""
    return work if _Running.tracer is None else _Running.tracer.carried(work)
