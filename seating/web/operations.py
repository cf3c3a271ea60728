"""For operators and their monitoring."""

import time
from typing import Any, Literal

import psutil
from flask import Response, request
from flask_openapi3 import Tag
from prometheus_client import CONTENT_TYPE_LATEST
from pydantic import Field
from werkzeug.datastructures import MIMEAccept

from seating import __version__
from seating.domain.timestamps import rfc3339
from seating.telemetry import metrics
from seating.web.application import Routes
from seating.web.callers import Access, open_to
from seating.web.responses import render
from seating.web.schemas import Answer, problems
from seating.web.services import services, settings

api = Routes("operations", __name__, abp_tags=[Tag(name="Operations", description=__doc__)])

_PROMETHEUS_TYPES = ("text/plain", "application/openmetrics-text")


class SeatCache(Answer):
    event_id: str
    total_seats: int
    seats_sold: int
    last_updated: int = Field(description="of the last change, ms since 1970")


class CacheStatsView(Answer):
    seat_cache: SeatCache
    idempotency_cache_size: int


class PersistenceStats(Answer):
    position: str = Field(description="where the log ends")
    persisted: str = Field(description="up to where SQL has it")
    lag: int = Field(description="entries in between")
    quarantined: int = Field(description="entries that wait in quarantine")


class StatsView(Answer):
    """Purchase requests over all processes since the start, and where the default event's log stands."""

    total_requests: int
    success_purchases: int
    failed_purchases: int
    p95_latency: float = Field(
        serialization_alias="p95Latency", description="ms, the upper bound of its histogram bucket"
    )
    cache_stats: CacheStatsView
    persistence: PersistenceStats


class HomeView(Answer):
    message: str
    version: str
    status: Literal["OK"] = "OK"
    websocket: str = Field(description="where seat changes are pushed")


class HealthView(Answer):
    """The process lives, whatever else does not."""

    status: Literal["OK"] = "OK"
    timestamp: str
    uptime: float = Field(description="seconds")
    memory: int = Field(description="resident bytes of this process")
    cache_size: int = Field(description="users in the shared cache, as this process last knew")


class ReadyView(Answer):
    status: Literal["READY", "NOT_READY"]
    checks: dict[str, Any] = Field(
        description="redis, inventory and persistence decide; sql, disk and partner are reported"
    )


class MetricsView(Answer):
    """HTTP requests over all processes since the start."""

    total_requests: int
    status_distribution: dict[str, int]
    average_response_time: float = Field(description="ms")
    uptime: float = Field(description="seconds")


@api.get("/", responses={200: HomeView})
@open_to(Access.ANYBODY)
def home() -> Response:
    """What answers here"""
    address = f"{'wss' if request.is_secure else 'ws'}://{request.host}/"
    return render(HomeView(message="seating: every seat sold once", version=__version__, websocket=address))


@api.get("/health", responses={200: HealthView})
@open_to(Access.ANYBODY)
def health() -> Response:
    """Whether this process lives"""
    return render(
        HealthView(
            timestamp=rfc3339(time.time() * 1000),
            uptime=_uptime_s(),
            memory=psutil.Process().memory_info().rss,
            cache_size=services().user_cache.size_last_known,
        )
    )


@api.get("/ready", responses={200: ReadyView, 503: ReadyView})
@open_to(Access.ANYBODY)
def ready() -> Response:
    """Whether seats of the default event can be sold

    503 when they cannot; SQL and disk are reported beside.
    """
    found = services().monitoring.readiness(settings().default_event)
    if found.ready:
        return render(ReadyView(status="READY", checks=found.checks))
    return render(ReadyView(status="NOT_READY", checks=found.checks), 503)


@api.get("/api/v1/stats", responses={200: StatsView, **problems(404, 503)})
@open_to(Access.ANYBODY)
def stats() -> Response:
    """Figures of the sale"""
    event_id = settings().default_event
    counts, backlog, quarantined, remembered_keys = services().monitoring.sale(event_id)
    totals = services().offload(metrics.purchase_totals)
    return render(
        StatsView(
            total_requests=totals.succeeded + totals.failed,
            success_purchases=totals.succeeded,
            failed_purchases=totals.failed,
            p95_latency=round(totals.p95_s * 1000, 3),
            cache_stats=CacheStatsView(
                seat_cache=SeatCache(
                    event_id=event_id,
                    total_seats=counts.capacity,
                    seats_sold=counts.sold,
                    last_updated=counts.updated_ms,
                ),
                idempotency_cache_size=remembered_keys,
            ),
            persistence=PersistenceStats(
                position=str(backlog.position),
                persisted=str(backlog.persisted_position),
                lag=backlog.lag,
                quarantined=quarantined,
            ),
        )
    )


@api.get("/metrics", responses={200: MetricsView})
@open_to(Access.ANYBODY)
def get_metrics() -> Response:
    """Figures of the service

    JSON, or Prometheus text for whoever accepts `text/plain` or `application/openmetrics-text` rather.
    """
    # Scrapers name a version with each type, and werkzeug would take that for another type.
    accepted = MIMEAccept((name.partition(";")[0], quality) for name, quality in request.accept_mimetypes)
    if accepted.best_match(("application/json", *_PROMETHEUS_TYPES)) in _PROMETHEUS_TYPES:
        gauges = services().monitoring.gauges()
        text = services().offload(lambda: metrics.exposition(gauges))
        return Response(text, content_type=CONTENT_TYPE_LATEST)
    totals = services().offload(metrics.http_totals)
    return render(
        MetricsView(
            total_requests=totals.requests,
            status_distribution=totals.by_class,
            average_response_time=round(totals.mean_s * 1000, 3),
            uptime=_uptime_s(),
        )
    )


def _uptime_s() -> float:
    return round(time.time() - metrics.STARTED_AT_S, 3)
