"""The service's description, and the statistics of the sale."""

from typing import Literal

from flask import Response, request
from pydantic import Field

from seating import __version__
from seating.web.application import Routes
from seating.web.callers import Access, open_to
from seating.web.declarations import OF_INVENTORY, refuses
from seating.web.drafts import refuse_hidden_draft
from seating.web.origins import client_host, client_scheme
from seating.web.pages import default_event_page, prefers_page
from seating.web.probes import OPERATIONS
from seating.web.responses import render
from seating.web.schemas import Answer, examples
from seating.web.services import default_event, services

api = Routes("operations", __name__, *OPERATIONS)


class SeatCache(Answer):
    event_id: str
    total_seats: int
    seats_sold: int
    last_updated: int = Field(description="of the last change, ms since 1970")


class CacheStatsView(Answer):
    seat_cache: SeatCache
    idempotency_cache_size: int


class PersistenceStats(Answer):
    position: str = Field(description="the end of the log")
    persisted: str = Field(description="the last position that SQL has")
    lag: int = Field(description="number of entries that SQL lacks")
    quarantined: int = Field(description="number of entries waiting in quarantine")


class StatsView(Answer):
    """Purchase requests over all running web instances since each started, and the progress of the default event's log.

    The counts of other instances are up to two seconds old.
    """

    model_config = examples(
        {
            "totalRequests": 162,
            "successPurchases": 150,
            "failedPurchases": 12,
            "p95Latency": 25,
            "cacheStats": {
                "seatCache": {
                    "eventId": "demo",
                    "totalSeats": 5000,
                    "seatsSold": 150,
                    "lastUpdated": 1777629600000,
                },
                "idempotencyCacheSize": 150,
            },
            "persistence": {
                "position": "217907169-42",
                "persisted": "217907169-42",
                "lag": 0,
                "quarantined": 0,
            },
        }
    )

    total_requests: int
    success_purchases: int
    failed_purchases: int
    p95_latency: float = Field(
        serialization_alias="p95Latency", description="ms, the upper bound of its histogram bucket"
    )
    cache_stats: CacheStatsView
    persistence: PersistenceStats


class HomeView(Answer):
    model_config = examples(
        {
            "message": "seating: every seat sold once",
            "version": __version__,
            "status": "OK",
            "websocket": "ws://127.0.0.1:3000/",
        },
        more={"text/html": {"schema": {"type": "string"}, "examples": {"example1": {"value": "<!doctype html>…"}}}},
    )

    message: str
    version: str
    status: Literal["OK"] = "OK"
    websocket: str = Field(description="the address of the live feed")


@api.get("/", responses={200: HomeView})
@open_to(Access.ANYBODY)
def get_home() -> Response:
    """Describe this service

    Clients that prefer `text/html`, as browsers do, get the page of the default event.
    """
    if prefers_page():
        return default_event_page(default_event())
    address = f"{'wss' if client_scheme(request) == 'https' else 'ws'}://{client_host(request)}/"
    return render(HomeView(message="seating: every seat sold once", version=__version__, websocket=address))


@api.get("/api/v1/stats", responses={200: StatsView})
@open_to(Access.ANYBODY)
@refuses(*OF_INVENTORY)
def get_sale_stats() -> Response:
    """Get statistics of the sale"""
    event_id = default_event()
    counts, backlog, quarantined, remembered_keys = services().monitoring.sale(event_id)
    refuse_hidden_draft(event_id)
    counted = services().instances.counts()
    succeeded, failed = counted.purchases
    return render(
        StatsView(
            total_requests=succeeded + failed,
            success_purchases=succeeded,
            failed_purchases=failed,
            p95_latency=round(counted.purchase_p95_s * 1000, 3),
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
