"""Routes for monitoring and load balancers, served on the main port and on OPS_BIND."""

import time
from typing import Any, Final, Literal

import psutil
from flask import Response, request
from prometheus_client import CONTENT_TYPE_LATEST
from pydantic import Field
from werkzeug.datastructures import MIMEAccept

from seating.domain.timestamps import rfc3339
from seating.telemetry import exposition, metrics
from seating.web.application import Routes
from seating.web.callers import Access, open_to
from seating.web.declarations import sends
from seating.web.readiness_checks import checks
from seating.web.responses import render
from seating.web.schemas import Answer, examples
from seating.web.services import services

OPERATIONS: Final = ("Operations", "For operators and their monitoring.")

api = Routes("probes", __name__, *OPERATIONS)

_PROMETHEUS_TYPES = ("text/plain", "application/openmetrics-text")


_EXPOSITION: Final[dict[str, Any]] = {
    "schema": {"type": "string"},
    "examples": {"example1": {"value": f"# TYPE {metrics.REDIS_UP.name} gauge\n{metrics.REDIS_UP.name} 1.0\n"}},
}


class HealthView(Answer):
    """The process is alive, whatever else is not."""

    model_config = examples(
        {
            "status": "OK",
            "timestamp": "2026-05-01T10:00:00.000Z",
            "uptime": 3600.5,
            "memory": 94371840,
            "cacheSize": 5,
        }
    )

    status: Literal["OK"] = "OK"
    timestamp: str
    uptime: float = Field(description="seconds")
    memory: int = Field(description="resident bytes of this process")
    cache_size: int = Field(description="users in the shared cache, as last seen by this process")


class ReadyView(Answer):
    model_config = examples({"status": "READY", "checks": {"redis": {"status": "up"}, "events": {"open": 1}}})

    status: Literal["READY", "NOT_READY"]
    checks: dict[str, Any] = Field(
        description="web, redis and events decide; the rest is for information, as seen `ageS` seconds ago"
    )


class MetricsView(Answer):
    """HTTP requests over all running web instances, since each started."""

    model_config = examples(
        {
            "totalRequests": 162,
            "statusDistribution": {"2xx": 150, "3xx": 0, "4xx": 12, "5xx": 0},
            "averageResponseTime": 3.2,
            "uptime": 3600.5,
        },
        more={"text/plain": _EXPOSITION},
    )

    total_requests: int
    status_distribution: dict[str, int]
    average_response_time: float = Field(description="ms")
    uptime: float = Field(description="seconds")


@api.get("/health", responses={200: HealthView})
@open_to(Access.ANYBODY)
def get_health() -> Response:
    """Check whether this process is alive"""
    return render(
        HealthView(
            timestamp=rfc3339(time.time() * 1000),
            uptime=_uptime_s(),
            memory=psutil.Process().memory_info().rss,
            cache_size=services().users.coalescing.cache.size_last_known,
        )
    )


@api.get("/ready", responses={200: ReadyView, 503: ReadyView})
@open_to(Access.ANYBODY)
def get_readiness() -> Response:
    """Check whether seats can be sold

    503 if Redis takes no writes, if events are open and none of them can be sold from, or if this server is about to
    stop. Everything else is only reported. The response never waits for a store.
    """
    found = services().readiness.report()
    if found.ready:
        return render(ReadyView(status="READY", checks=checks(found)))
    return render(ReadyView(status="NOT_READY", checks=checks(found)), 503)


@api.get("/metrics", responses={200: MetricsView})
@open_to(Access.ANYBODY)
@sends("Instance", statuses=(200,))
def get_metrics() -> Response:
    """Get the service's metrics

    JSON summed over all web instances; or, for clients that prefer `text/plain` or `application/openmetrics-text`,
    this instance's as Prometheus text, with its name in `Instance`: scrape each.
    """
    # Scrapers add a version to each type, which werkzeug would take for another type.
    accepted = MIMEAccept((name.partition(";")[0], quality) for name, quality in request.accept_mimetypes)
    if accepted.best_match(("application/json", *_PROMETHEUS_TYPES)) in _PROMETHEUS_TYPES:
        readings = services().readings.take()
        text = services().offload(lambda: exposition.exposition(readings))
        response = Response(text, content_type=CONTENT_TYPE_LATEST)
        response.headers["Instance"] = services().instances.own_name
        return response
    counted = services().instances.counts()
    responses = counted.responses
    return render(
        MetricsView(
            total_requests=sum(responses.values()),
            status_distribution=responses,
            average_response_time=round(counted.mean_s * 1000, 3),
            uptime=_uptime_s(),
        )
    )


def _uptime_s() -> float:
    return round(time.time() - metrics.STARTED_AT_S, 3)
