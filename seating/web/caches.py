"""The cache that users are read through."""

import time
from datetime import UTC, datetime

from flask import Response
from flask_openapi3 import APIBlueprint, Tag

from seating.telemetry import metrics
from seating.web.answers import render
from seating.web.operator_token import SECURITY, operators_only
from seating.web.schemas import CacheClearedView, CacheStatusView, problems
from seating.web.services import services

api = APIBlueprint("caches", __name__, abp_tags=[Tag(name="Cache", description=__doc__)])


@api.get("/users/cache-status", responses={200: CacheStatusView, **problems(503)})
def users_cache_status() -> Response:
    """How well the cache does, over all processes"""
    return _status()


@api.get("/cache-status", responses={200: CacheStatusView, **problems(503)})
def cache_status() -> Response:
    """How well the cache does, over all processes"""
    return _status()


@api.delete("/users/cache", responses={200: CacheClearedView, **problems(401, 503)}, security=SECURITY)
@operators_only
def clear_users_cache() -> Response:
    """Empty the cache and begin its counters at zero"""
    return render(CacheClearedView(entries_removed=services().user_cache.clear(reset_counters=True)))


@api.delete("/cache", responses={200: CacheClearedView, **problems(401, 503)}, security=SECURITY)
@operators_only
def clear_cache() -> Response:
    """Empty the cache"""
    return render(CacheClearedView(entries_removed=services().user_cache.clear()))


def _status() -> Response:
    cache = services().user_cache
    stats = cache.stats()
    return render(
        CacheStatusView(
            hits=stats.hits,
            misses=stats.misses,
            size=stats.size,
            capacity=cache.capacity,
            evictions=stats.evictions,
            expirations=stats.expirations,
            coalesced=stats.coalesced,
            average_response_time=round(stats.mean_ms, 3),
            hit_ratio=f"{stats.hit_ratio:.2%}",
            total_requests=stats.requests,
            bytes=stats.bytes,
            uptime=round(time.time() - metrics.STARTED_AT_S, 3),
            timestamp=datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        )
    )
