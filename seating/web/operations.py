"""For operators and their monitoring."""

import time
from datetime import UTC, datetime

import psutil
from flask import Response, request
from flask_openapi3 import APIBlueprint, Tag
from prometheus_client import CONTENT_TYPE_LATEST
from werkzeug.datastructures import MIMEAccept

from seating import __version__
from seating.telemetry import metrics
from seating.web.answers import render
from seating.web.schemas import (
    CacheStats,
    HealthView,
    HomeView,
    MetricsView,
    PersistenceStats,
    ReadyView,
    SeatCache,
    StatsView,
    problems,
)
from seating.web.services import services, settings

api = APIBlueprint("operations", __name__, abp_tags=[Tag(name="Operations", description=__doc__)])

_PROMETHEUS_TYPES = ("text/plain", "application/openmetrics-text")


@api.get("/", responses={200: HomeView})
def home() -> Response:
    """What answers here"""
    address = f"{'wss' if request.is_secure else 'ws'}://{request.host}/"
    return render(HomeView(message="seating: every seat sold once", version=__version__, websocket=address))


@api.get("/health", responses={200: HealthView})
def health() -> Response:
    """Whether this process lives"""
    return render(
        HealthView(
            timestamp=datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            uptime=_uptime_s(),
            memory=psutil.Process().memory_info().rss,
            cache_size=services().user_cache.size_last_known,
        )
    )


@api.get("/ready", responses={200: ReadyView, 503: ReadyView})
def ready() -> Response:
    """Whether seats of the default event can be sold

    503 when they cannot; SQL and disk are reported beside.
    """
    found = services().monitoring.readiness(settings().default_event)
    if found.ready:
        return render(ReadyView(status="READY", checks=found.checks))
    return render(ReadyView(status="NOT_READY", checks=found.checks), 503)


@api.get("/api/v1/stats", responses={200: StatsView, **problems(404, 503)})
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
            cache_stats=CacheStats(
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
