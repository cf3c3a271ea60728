"""The bodies of requests and answers, as the OpenAPI document shows them."""

import re
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, RootModel
from pydantic.alias_generators import to_camel

from seating.domain.catalogue import PartnerEvent, PartnerId, PartnerUser
from seating.domain.errors import EventNotFound
from seating.domain.event import is_event_id
from seating.domain.purchase import MAX_QUANTITY
from seating.domain.user import MAX_ID_LENGTH, Plan
from seating.services.purchases import PurchaseState
from seating.web.parsing import NOT_BLANK, StrictModel

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")


def _printable(text: str) -> str:
    if _CONTROL.search(text):
        raise ValueError("must not have control characters")
    return text


def _possible_event(event_id: str) -> str:
    if not is_event_id(event_id):
        raise EventNotFound
    return event_id


Line = Annotated[str, AfterValidator(_printable)]
Reference = Annotated[str, Field(min_length=1, max_length=64), AfterValidator(_printable)]


class EventPath(BaseModel):
    event_id: Annotated[str, AfterValidator(_possible_event)] = Field(description="the event's id")


class UserPath(BaseModel):
    user_id: str = Field(description="the user's id")


class PurchasePath(BaseModel):
    purchase_id: str = Field(description="the purchase's id")


class PageQuery(BaseModel):
    model_config = ConfigDict(extra="forbid")

    cursor: str = Field("", max_length=64, pattern="^[a-z0-9-]*$", description="`next` of the page before")
    limit: int = Field(50, ge=1, le=200, description="events a page")


class UserPageQuery(BaseModel):
    model_config = ConfigDict(extra="forbid")

    cursor: Line = Field("", max_length=64, description="where the `Link` of the page before leads")
    limit: int = Field(50, ge=1, le=200, description="users a page")


class PurchasePageQuery(BaseModel):
    model_config = ConfigDict(extra="forbid")

    cursor: int | None = Field(None, ge=1, le=10**14, description="`next` of the page before")
    limit: int = Field(50, ge=1, le=200, description="purchases a page")
    reference: Reference | None = Field(None, description="only those with the shop's own order number")


class QuarantinePageQuery(BaseModel):
    model_config = ConfigDict(extra="forbid")

    cursor: int = Field(0, ge=0, le=10**9, description="`next` of the page before")
    limit: int = Field(50, ge=1, le=200, description="entries a page")


class QuarantinePath(EventPath):
    position: str = Field(description="the entry's position, `<epoch>-<seq>`")


class PurchaseHeaders(BaseModel):
    idempotency_key: str | None = Field(
        None,
        alias="Idempotency-Key",
        description="required: 1 to 255 visible ASCII characters, best a UUID; whoever knows it can read the answer",
    )
    prefer: str | None = Field(
        None,
        alias="Prefer",
        description="`wait=<seconds, at most 30>`: answer when SQL has the purchase (RFC 7240)",
    )


class DefaultPurchase(StrictModel):
    """A purchase on the default event."""

    quantity: int = Field(ge=1, le=MAX_QUANTITY, description="seats to buy, all or none")


class Answer(BaseModel):
    """What answers have in common: camelCase names, in the order of the fields."""

    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True, frozen=True)


class PurchaseAnswer(Answer):
    success: Literal[True] = True
    seats_remaining: int = Field(description="after this purchase")
    purchase_id: str
    event_id: str
    quantity: int
    seats: list[str] = Field(description="seat ids, none in general admission")
    position: str = Field(description="`<epoch>-<seq>` in the event's log")


class PurchaseView(Answer):
    purchase_id: str
    event_id: str
    state: PurchaseState
    quantity: int
    seats: list[str]
    reference: str | None
    position: str
    purchased_at: str = Field(description="RFC 3339, UTC")


class PurchaseListView(Answer):
    purchases: list[PurchaseView]
    next: str | None = Field(description="`cursor` of the next page")


class QuarantineEntryView(Answer):
    event_id: str
    position: str
    reason: str = Field(description="poison: SQL refused it; fork: SQL has another entry at its place")
    error: str
    change: str = Field(description="the entry, raw")


class QuarantineListView(Answer):
    entries: list[QuarantineEntryView]
    next: str | None = Field(description="`cursor` of the next page")


class StateChange(StrictModel):
    state: Literal["on_sale", "paused", "closed"] = Field(description="closed is for good")


class NewUser(StrictModel):
    name: Line = Field(min_length=1, max_length=200, pattern=NOT_BLANK)
    email: str = Field(max_length=320, description="kept in lower case; nobody else may have it")
    id: str | None = Field(None, max_length=MAX_ID_LENGTH, description="chosen at random if not given")
    plan: Plan = "free"


class UserView(Answer):
    id: str
    name: str
    email: str
    plan: Plan
    is_active: bool
    created_at: str = Field(description="RFC 3339, UTC")


class UserListView(RootModel[list[UserView]]):
    """In the order of their ids."""


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


class DefaultEventView(Answer):
    total_seats: int
    seats_sold: int
    seats_remaining: int = Field(description="can be bought now")
    seats_held: int
    seats_blocked: int


class EventView(Answer):
    id: str
    name: str
    total_seats: int
    seats_sold: int | None = Field(description="null while the inventory is not there")
    seats_remaining: int | None
    seated: bool
    state: Literal["on_sale", "paused", "closed", "unavailable"]


class EventListView(Answer):
    events: list[EventView]
    next: str | None = Field(description="`cursor` of the next page")


class SeatMapView(Answer):
    event_id: str
    position: str = Field(description="`<epoch>-<seq>` in the event's log; give it to the live feed as `since`")
    seats_remaining: int
    statuses: dict[str, str] = Field(description="the word for each letter")
    seats: str = Field(description="a letter a seat, in the plan's order; empty in general admission")


class LiveStatusView(Answer):
    connected_clients: int = Field(description="open WebSockets of all web processes of this machine")


class SeatCache(Answer):
    event_id: str
    total_seats: int
    seats_sold: int
    last_updated: int = Field(description="of the last change, ms since 1970")


class CacheStats(Answer):
    seat_cache: SeatCache
    idempotency_cache_size: int


class PersistenceStats(Answer):
    position: str = Field(description="where the log ends")
    persisted: str = Field(description="up to where SQL has it")
    lag: int = Field(description="entries in between")
    quarantined: int = Field(description="entries that SQL refused for good")


class StatsView(Answer):
    """Purchase requests over all processes since the start, and where the default event's log stands."""

    total_requests: int
    success_purchases: int
    failed_purchases: int
    p95_latency: float = Field(alias="p95Latency", description="ms, the upper bound of its histogram bucket")
    cache_stats: CacheStats
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


class PartnerUserPath(BaseModel):
    user_id: str = Field(description="the user's id with the event partner")


class NewPartnerEvent(StrictModel):
    """An event for the partner to keep."""

    name: Line = Field(min_length=1, max_length=200)
    user_id: PartnerId = Field(alias="userId")


class PartnerEventAdded(Answer):
    success: Literal[True] = True


class PartnerUserList(RootModel[list[PartnerUser]]):
    """As the partner has them."""


class PartnerEventList(RootModel[list[PartnerEvent]]):
    """As the partner has them."""


class Problem(BaseModel):
    """RFC 9457 problem details."""

    model_config = ConfigDict(extra="allow")

    type: str
    title: str
    status: int
    detail: str
    error: str
    code: str
    message: str
    request_id: str | None = Field(alias="requestId")


def problems(*statuses: int) -> dict[Any, Any]:
    """The declaration of a route's error answers."""
    content = {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}}
    return {str(status): {"content": content} for status in statuses}
