"""The cache that users are read through."""

import time
from typing import Literal

from flask import Response
from flask_openapi3 import Tag
from pydantic import Field

from seating.domain.timestamps import rfc3339
from seating.telemetry import metrics
from seating.web.actors import actor
from seating.web.application import Routes
from seating.web.callers import SECURITY, Access, open_to
from seating.web.parsing import parsed
from seating.web.responses import render
from seating.web.schemas import Answer, WhyQuery, problems
from seating.web.services import services

api = Routes("caches", __name__, abp_tags=[Tag(name="Cache", description=__doc__)])


class CacheStatusView(Answer):
    """Over all processes."""

    hits: int
    misses: int = Field(description="requests that had to fetch")
    size: int
    capacity: int
    evictions: int
    expirations: int
    coalesced: int = Field(description="requests that waited for another one's fetch")
    average_response_time: float = Field(description="ms")
    hit_ratio: str = Field(description="hits of all requests, in percent")
    total_requests: int
    bytes: int = Field(description="of keys and values kept")
    uptime: float = Field(description="seconds")
    timestamp: str


class CacheClearedView(Answer):
    message: Literal["Cache cleared successfully"] = "Cache cleared successfully"
    entries_removed: int
    current_size: Literal[0] = 0


@api.get("/users/cache-status", responses={200: CacheStatusView, **problems(503)})
@open_to(Access.ANYBODY)
def users_cache_status() -> Response:
    """How well the cache does, over all processes"""
    return _status()


@api.get("/cache-status", responses={200: CacheStatusView, **problems(503)})
@open_to(Access.ANYBODY)
def cache_status() -> Response:
    """How well the cache does, over all processes"""
    return _status()


@api.delete("/users/cache", responses={200: CacheClearedView, **problems(400, 401, 503)}, security=SECURITY)
@open_to(Access.OPERATORS)
@parsed
def clear_users_cache(query: WhyQuery) -> Response:
    """Empty the cache and begin its counters at zero"""
    removed = services().users.clear_cache(actor(query.why), reset_counters=True)
    return render(CacheClearedView(entries_removed=removed))


@api.delete("/cache", responses={200: CacheClearedView, **problems(400, 401, 503)}, security=SECURITY)
@open_to(Access.OPERATORS)
@parsed
def clear_cache(query: WhyQuery) -> Response:
    """Empty the cache"""
    return render(CacheClearedView(entries_removed=services().users.clear_cache(actor(query.why))))


def _status() -> Response:
    cache = services().user_cache
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
