"""The shared cache of users."""

import time
from typing import Literal

from flask import Response
from pydantic import Field

from seating.domain.errors import SharedStateUnavailable
from seating.domain.timestamps import rfc3339
from seating.telemetry import metrics
from seating.web.application import Routes
from seating.web.callers import Access, actor, open_to
from seating.web.declarations import refuses
from seating.web.parsing import parsed
from seating.web.responses import render
from seating.web.schemas import Answer, WhyQuery, examples
from seating.web.services import services

api = Routes("caches", __name__, "Cache", __doc__)


class CacheStatusView(Answer):
    """Statistics over all processes."""

    model_config = examples(
        {
            "hits": 90,
            "misses": 5,
            "size": 5,
            "capacity": 100,
            "evictions": 0,
            "expirations": 0,
            "coalesced": 5,
            "averageResponseTime": 0.8,
            "hitRatio": "90.00%",
            "totalRequests": 100,
            "bytes": 1024,
            "uptime": 3600.5,
            "timestamp": "2026-05-01T10:00:00.000Z",
        }
    )

    hits: int
    misses: int = Field(description="requests that had to fetch")
    size: int
    capacity: int
    evictions: int
    expirations: int
    coalesced: int = Field(description="requests that waited for another request's fetch")
    average_response_time: float = Field(description="ms")
    hit_ratio: str = Field(description="percentage of requests that were hits")
    total_requests: int
    bytes: int = Field(description="size of the stored keys and values")
    uptime: float = Field(description="seconds")
    timestamp: str


class CacheClearedView(Answer):
    model_config = examples({"message": "Cache cleared successfully", "entriesRemoved": 5, "currentSize": 0})

    message: Literal["Cache cleared successfully"] = "Cache cleared successfully"
    entries_removed: int
    current_size: Literal[0] = 0


@api.get("/users/cache-status", responses={200: CacheStatusView})
@open_to(Access.ANYBODY)
@refuses(SharedStateUnavailable)
def get_users_cache_status() -> Response:
    """Get the cache's statistics over all processes"""
    return _status()


@api.get("/cache-status", responses={200: CacheStatusView})
@open_to(Access.ANYBODY)
@refuses(SharedStateUnavailable)
def get_cache_status() -> Response:
    """Get the cache's statistics over all processes"""
    return _status()


@api.delete("/users/cache", responses={200: CacheClearedView})
@open_to(Access.OPERATORS)
@refuses(SharedStateUnavailable)
@parsed
def clear_users_cache(query: WhyQuery) -> Response:
    """Clear the cache and reset its counters"""
    removed = services().users.clear_cache(actor(query.why), reset_counters=True)
    return render(CacheClearedView(entries_removed=removed))


@api.delete("/cache", responses={200: CacheClearedView})
@open_to(Access.OPERATORS)
@refuses(SharedStateUnavailable)
@parsed
def clear_cache(query: WhyQuery) -> Response:
    """Clear the cache"""
    return render(CacheClearedView(entries_removed=services().users.clear_cache(actor(query.why))))


def _status() -> Response:
    cache = services().users.coalescing.cache
    stats = cache.stats()
    return render(
        CacheStatusView(
            **stats._asdict(),
            capacity=cache.capacity,
            average_response_time=round(stats.mean_ms, 3),
            hit_ratio=f"{stats.hit_ratio:.2%}",
            total_requests=stats.requests,
            uptime=round(time.time() - metrics.STARTED_AT_S, 3),
            timestamp=rfc3339(time.time() * 1000),
        )
    )
